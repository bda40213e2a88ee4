// Package closedloop runs the load generators of others, wrk and h2load, and
// reads what they print.
//
// Both keep a fixed number of requests in flight: right for the question how
// many a server can answer, wrong for how long users wait (see openloop).
// TLS is held equal for all sides by an OpenSSL configuration of ours: TLS 1.3,
// AES-128-GCM, X25519.
package closedloop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
)

// Load is one run of a generator.
type Load struct {
	URL      string
	Connect  string   // host:port that is dialled; "" for the URL's
	Header   []string // "Name: value"
	InFlight int      // wrk: connections; h2load: streams of one connection. 64 when 0
	Duration time.Duration
	CPUs     []int  // the generator may use; all when empty
	Server   int    // process whose CPU is read; 0: none
	OpenSSL  string // configuration file, see WriteOpenSSL
	Script   string // of wrk: a file in Lua
}

// ErrNotInstalled is the answer when the generator is not on this machine.
var ErrNotInstalled = errors.New("is not installed")

// Wrk loads by HTTP/1.1 with one thread of wrk.
func Wrk(ctx context.Context, l Load) (duel.Sample, error) {
	argv := []string{"wrk", "-t1", fmt.Sprintf("-c%d", l.inFlight()), fmt.Sprintf("-d%ds", l.seconds()), "--latency"}
	if l.Script != "" {
		argv = append(argv, "-s", l.Script)
	}
	if l.Connect != "" { // wrk dials what its URL says, and names what it is told to
		u, err := url.Parse(l.URL)
		if err != nil {
			return duel.Sample{}, fmt.Errorf("wrk: %w", err)
		}
		l.Header = append([]string{"Host: " + u.Host}, l.Header...)
		u.Host = l.Connect
		l.URL = u.String()
	}
	return l.run(ctx, argv, parseWrk)
}

// H2load loads by HTTP/2 over one connection.
func H2load(ctx context.Context, l Load) (duel.Sample, error) {
	argv := []string{"h2load", "-c1", "-t1", fmt.Sprintf("-m%d", l.inFlight()), fmt.Sprintf("-D%d", l.seconds())}
	if l.Connect != "" {
		argv = append(argv, "--connect-to="+l.Connect)
	}
	return l.run(ctx, argv, parseH2load)
}

func (l Load) inFlight() int {
	if l.InFlight == 0 {
		return 64
	}
	return l.InFlight
}

func (l Load) seconds() int { return max(int(l.Duration.Seconds()), 1) }

func (l Load) run(ctx context.Context, argv []string, parse func(string) (duel.Sample, error)) (duel.Sample, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return duel.Sample{}, fmt.Errorf("%s %w", argv[0], ErrNotInstalled)
	}
	for _, field := range l.Header {
		argv = append(argv, "-H", field)
	}
	cmd := exec.CommandContext(ctx, path, append(argv[1:], l.URL)...)
	if l.OpenSSL != "" {
		cmd.Env = append(os.Environ(), "OPENSSL_CONF="+l.OpenSSL)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	before, err := l.cpu()
	if err != nil {
		return duel.Sample{}, err
	}
	if err := machine.Start(cmd, l.CPUs...); err != nil {
		return duel.Sample{}, fmt.Errorf("start %s: %w", argv[0], err)
	}
	if err := cmd.Wait(); err != nil {
		return duel.Sample{}, fmt.Errorf("%s: %w: %s", argv[0], err, bytes.TrimSpace(out.Bytes()))
	}
	after, err := l.cpu()
	if err != nil {
		return duel.Sample{}, err
	}
	sample, err := parse(out.String())
	if err != nil {
		return duel.Sample{}, fmt.Errorf("%w in:\n%s", err, out.String())
	}
	sample.CPU = after - before
	return sample, nil
}

func (l Load) cpu() (time.Duration, error) {
	if l.Server == 0 {
		return 0, nil
	}
	return machine.CPU(l.Server)
}

const openSSL = `# Made for load generators: equal terms for all servers.
openssl_conf = conf
[conf]
ssl_conf = ssl
[ssl]
system_default = client
[client]
MinProtocol = TLSv1.3
MaxProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
`

// WriteOpenSSL writes the OpenSSL configuration into a directory and returns its name.
func WriteOpenSSL(dir string) (string, error) {
	name := filepath.Join(dir, "openssl.cnf")
	return name, os.WriteFile(name, []byte(openSSL), 0o644)
}
