// Login-token makes keys and login tokens for development: what a login service would do.
//
//	login-token keys -dir .flotilla/login                 # login.key and login.pub (Ed25519, PEM)
//	login-token keys -dir .flotilla/login -rotate         # a new pair; login.pub keeps the old key beside it
//	login-token issue -key .flotilla/login/login.key -subject alice -audience flotilla -ttl 1h
//
// The cache believes tokens that are signed by a key in the file CACHE_LOGIN_KEY_FILE names. The token is printed
// on standard output:
//
//	curl -H "Authorization: Bearer $(login-token issue -key … -subject alice)" https://dictionary.localhost:8443/dog
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "login-token:", err)
		os.Exit(2)
	}
}
