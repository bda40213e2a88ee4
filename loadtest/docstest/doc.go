// Package docstest holds the pages of docs/ to what the tree does.
//
// A block of a page that is marked as console is executed, from the root of the tree,
// against a fleet that the test starts in a directory of its own:
//
//	```console
//	$ curl -s --cacert .flotilla/pki/ca.crt https://dictionary.localhost:8443/v1/words/dog
//	{"word":"dog",…
//	```
//
// Lines that begin with "$ " are commands, a final backslash continues them; the lines
// after a command are what it prints. "…" in a line stands for any text, and lines that
// are not shown may stand between: what is shown must come, in this order. Commands name
// the fleet as a reader has it – .flotilla, ports 8443 and 8080 – and the test puts its
// own in their place.
package docstest
