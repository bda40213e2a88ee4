package pki

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// Trust explains to a person how to make the machine's browsers and tools trust
// the development CA of a directory, and how to take it back. It changes
// nothing itself: who is trusted is the user's decision.
func Trust(ctx context.Context, out io.Writer, dir string) error {
	b, err := Dir(dir).Load(ctx, DevelopmentCA)
	if err != nil {
		return fmt.Errorf("load development CA from %s: %w", dir, err)
	}
	p, err := b.parse()
	if err != nil {
		return fmt.Errorf("development CA in %s: %w", dir, err)
	}
	file, err := filepath.Abs(filepath.Join(dir, DevelopmentCA+".crt"))
	if err != nil {
		return err
	}
	text, err := template.New("trust").Parse(instructions)
	if err != nil {
		return err
	}
	return text.Execute(out, map[string]string{
		"File":        file,
		"Name":        p.cert.Subject.CommonName,
		"Fingerprint": fingerprint(p.cert.Raw),
		"Until":       p.cert.NotAfter.Format(time.DateOnly),
		"Domains":     strings.Join(p.cert.PermittedDNSDomains, ", "),
	})
}

func fingerprint(der []byte) string {
	hex := fmt.Sprintf("% X", sha256.Sum256(der))
	return strings.ReplaceAll(hex, " ", ":")
}

const instructions = `The development CA of this fleet

  file         {{.File}}
  name         {{.Name}}
  SHA-256      {{.Fingerprint}}
  valid until  {{.Until}}
  may sign for loopback addresses and names under: {{.Domains}}

Nothing has been changed. A certificate that this CA signs for any other name is
refused by whoever verifies it, so trusting it opens nothing but names that are
no public ones. Its key lies beside it with mode 0600: whoever can read that can
pose as your local fleet, and as nothing else.

One command, no trust stored
  curl --cacert {{.File}} https://dictionary.localhost:8443/dog

Debian, Ubuntu
  trust:    sudo cp {{.File}} /usr/local/share/ca-certificates/flotilla.crt && sudo update-ca-certificates
  untrust:  sudo rm /usr/local/share/ca-certificates/flotilla.crt && sudo update-ca-certificates --fresh

Fedora, RHEL, Arch
  trust:    sudo trust anchor --store {{.File}}
  untrust:  sudo trust anchor --remove {{.File}}

macOS (Safari, Chrome, curl)
  trust:    security add-trusted-cert -r trustRoot -p ssl -k ~/Library/Keychains/login.keychain-db {{.File}}
  untrust:  security remove-trusted-cert {{.File}}

Windows (Edge, Chrome; a prompt asks you to compare the fingerprint)
  trust:    certutil -user -addstore Root {{.File}}
  untrust:  certutil -user -delstore Root "{{.Name}}"

Chrome and Chromium on Linux (package libnss3-tools)
  trust:    certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n flotilla -i {{.File}}
  untrust:  certutil -d sql:$HOME/.pki/nssdb -D -n flotilla

Firefox (all systems)
  trust:    Settings, Privacy & Security, View Certificates, Authorities, Import: this file, "identify websites"
  untrust:  the same list, organisation Flotilla, Delete or Distrust

Programs in Go, Python, Node.js, for one command
  SSL_CERT_FILE={{.File}} …      REQUESTS_CA_BUNDLE={{.File}} …      NODE_EXTRA_CA_CERTS={{.File}} …

Deleting the directory makes a new CA at the next start; untrust the old one first.
`
