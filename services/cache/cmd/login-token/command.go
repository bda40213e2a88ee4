package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

const usage = `usage:
  login-token keys  -dir DIR [-rotate]
  login-token issue -key FILE -subject NAME [-audience NAME] [-issuer NAME] [-ttl DURATION]`

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "keys":
		return keys(args[1:], out)
	case "issue":
		return issue(args[1:], out)
	case "-h", "-help", "--help", "help":
		_, err := fmt.Fprintln(out, usage)
		return err
	}
	return fmt.Errorf("unknown command %q\n%s", args[0], usage)
}

func keys(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("keys", flag.ContinueOnError)
	dir := flags.String("dir", "", "directory of login.key and login.pub")
	rotate := flags.Bool("rotate", false, "replace the pair, and keep the old public key beside the new one")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("keys: -dir is missing")
	}
	private, public := filepath.Join(*dir, "login.key"), filepath.Join(*dir, "login.pub")
	old, err := os.ReadFile(public)
	switch {
	case err == nil && !*rotate:
		return fmt.Errorf("%s is there already: -rotate replaces it", public)
	case errors.Is(err, fs.ErrNotExist) && *rotate:
		return fmt.Errorf("%s is not there: nothing to rotate", public)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	keyPEM, pubPEM, err := encode(key, pub)
	if err != nil {
		return err
	}
	if block, _ := pem.Decode(old); block != nil { // the newest of the old ones stays for the overlap
		pubPEM = append(pubPEM, pem.EncodeToMemory(block)...)
	}
	// First the public key: whoever signs with the new one must be believed already.
	if err := errors.Join(atomicfile.Write(public, pubPEM, 0o644), atomicfile.Write(private, keyPEM, 0o600)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n%s\n", private, public)
	return err
}

func encode(key ed25519.PrivateKey, pub ed25519.PublicKey) (keyPEM, pubPEM []byte, err error) {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode private key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, nil, fmt.Errorf("encode public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), nil
}

func issue(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("issue", flag.ContinueOnError)
	file := flags.String("key", "", "file of the private key")
	subject := flags.String("subject", "", "who is logged in")
	audience := flags.String("audience", "flotilla", "whom the token is for")
	issuer := flags.String("issuer", "", "who says so")
	ttl := flags.Duration("ttl", time.Hour, "how long it is valid")
	if err := parse(flags, args); err != nil {
		return err
	}
	if *file == "" || *subject == "" || *ttl <= 0 {
		return errors.New("issue: want -key, -subject and a -ttl above 0")
	}
	content, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	key, err := jwt.ParseEdPrivateKeyFromPEM(content)
	if err != nil {
		return fmt.Errorf("read %s: %w", *file, err)
	}
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{
		Subject: *subject, Audience: jwt.ClaimStrings{*audience}, Issuer: *issuer,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(*ttl)),
	}).SignedString(key)
	if err != nil {
		return fmt.Errorf("sign token: %w", err)
	}
	_, err = fmt.Fprintln(out, token)
	return err
}

func parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%s: %w\n%s", flags.Name(), err, usage)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: unexpected %q", flags.Name(), flags.Arg(0))
	}
	return nil
}
