package tlsproxy

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program is tlsproxy as a process of the fleet.
var Program = process.Program{
	Name:  "tlsproxy",
	About: "terminates TLS in front of an application that speaks plain HTTP on loopback",
	Calls: []string{"the application at 127.0.0.1:PROXY_PORT: HTTP/1.1"},
}

// Config is the configuration of a tlsproxy.
type Config struct {
	process.Contract
	CertificatePath string `env:"CERTIFICATE_PATH" doc:"certificate chain (PEM), watched: a file, or a directory that has tls.crt and tls.key. TLS_CERT_FILE and TLS_KEY_FILE may be set instead; they are files"`
	KeyPath         string `env:"KEY_PATH" doc:"private key (PEM), watched: a file, or a directory that has tls.key. It may be left out when CERTIFICATE_PATH is a directory"`
	Port            int    `env:"PROXY_PORT,required" doc:"port of the application on 127.0.0.1; there is no other place that requests are passed on to"`
	TicketSecret    string `env:"TLSPROXY_TICKET_SECRET_FILE" doc:"file with 32 bytes or more, watched; replicas that share it resume each other's TLS sessions"`

	HeaderLimit config.Size `env:"TLSPROXY_HEADER_LIMIT" envDefault:"32KiB" doc:"largest head of a request; more is 431"`
	BodyLimit   config.Size `env:"TLSPROXY_BODY_LIMIT" envDefault:"16MiB" doc:"largest body of a request; more is 413"`
	Connections int         `env:"TLSPROXY_CONNECTIONS" envDefault:"2048" doc:"most client connections; more wait to be accepted"`
	Requests    int         `env:"TLSPROXY_REQUESTS" envDefault:"512" doc:"most requests and tunnels in progress; more is 503"`

	HeaderTimeout  time.Duration `env:"TLSPROXY_HEADER_TIMEOUT" envDefault:"10s" doc:"for a TLS handshake, and for the head of a request"`
	IdleTimeout    time.Duration `env:"TLSPROXY_IDLE_TIMEOUT" envDefault:"75s" doc:"how long a client connection may be unused"`
	StreamIdle     time.Duration `env:"TLSPROXY_STREAM_IDLE" envDefault:"60s" doc:"for a client to send the next piece of a body, or to take the next piece of an answer"`
	UpgradeIdle    time.Duration `env:"TLSPROXY_UPGRADE_IDLE" envDefault:"10m" doc:"how long an upgraded connection (WebSocket) may be silent in both directions"`
	ConnectTimeout time.Duration `env:"TLSPROXY_CONNECT_TIMEOUT" envDefault:"1s" doc:"for a connection to the application"`
	ConnectWait    time.Duration `env:"TLSPROXY_CONNECT_WAIT" envDefault:"500ms" doc:"how long an application that refuses connections is waited for, from the first refusal on; after that requests are told 502 at once"`
	AnswerTimeout  time.Duration `env:"TLSPROXY_ANSWER_TIMEOUT" envDefault:"30s" doc:"until the head of the application's answer; past it is 504"`

	AccessLog process.Switch `env:"TLSPROXY_ACCESS_LOG" envDefault:"on" doc:"on: a line for each request"`
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	if c.Port < 1 || c.Port > 65535 {
		wrong.Add("PROXY_PORT", "%d is not valid: want a port, 1 to 65535", c.Port)
	}
	// Requests that arrive by the proxy come from loopback, and loopback may see
	// more of the administration than others.
	for _, own := range []struct{ variable, addr string }{{"LISTEN_ADDR", c.ListenAddr}, {"ADMIN_ADDR", c.AdminAddr}} {
		if _, port, err := net.SplitHostPort(own.addr); err == nil && port == strconv.Itoa(c.Port) {
			wrong.Add("PROXY_PORT", "%d is the port of %s: this is a proxy of another program", c.Port, own.variable)
		}
	}
	path := c.CertificatePath != "" || c.KeyPath != ""
	file := c.TLSCertFile != "" || c.TLSKeyFile != ""
	switch {
	case path && file:
		wrong.Add("CERTIFICATE_PATH", "is another name for what TLS_CERT_FILE and TLS_KEY_FILE say; unset one or the other")
	case !file && c.CertificatePath == "":
		wrong.Add("CERTIFICATE_PATH", "is required: a file, or a directory that has tls.crt and tls.key")
	}
	for variable, n := range map[string]int{
		"TLSPROXY_CONNECTIONS": c.Connections, "TLSPROXY_REQUESTS": c.Requests, "TLSPROXY_HEADER_LIMIT": int(c.HeaderLimit), "TLSPROXY_BODY_LIMIT": int(c.BodyLimit),
	} {
		if n < 1 {
			wrong.Add(variable, "want at least 1")
		}
	}
	for variable, d := range map[string]time.Duration{
		"TLSPROXY_HEADER_TIMEOUT": c.HeaderTimeout, "TLSPROXY_IDLE_TIMEOUT": c.IdleTimeout, "TLSPROXY_STREAM_IDLE": c.StreamIdle,
		"TLSPROXY_UPGRADE_IDLE": c.UpgradeIdle, "TLSPROXY_CONNECT_TIMEOUT": c.ConnectTimeout, "TLSPROXY_ANSWER_TIMEOUT": c.AnswerTimeout,
	} {
		if d <= 0 {
			wrong.Add(variable, "want more than 0s: everything has a limit here")
		}
	}
	return wrong.Err()
}

// Names of the files in a directory of certificates, as Kubernetes names the
// keys of a Secret for TLS.
const (
	certName = "tls.crt"
	keyName  = "tls.key"
)

// pair resolves the two ways to name certificate and key to two files.
func (c Config) pair() (certs.Pair, error) {
	if c.TLSCertFile != "" {
		return certs.Pair{CertFile: c.TLSCertFile, KeyFile: c.TLSKeyFile}, nil
	}
	cert, directory, err := inDirectory("CERTIFICATE_PATH", c.CertificatePath, certName)
	if err != nil {
		return certs.Pair{}, err
	}
	if c.KeyPath == "" && !directory {
		return certs.Pair{}, config.Error{{Variable: "KEY_PATH", Message: "is required, because CERTIFICATE_PATH is a file"}}
	}
	if c.KeyPath == "" {
		return certs.Pair{CertFile: cert, KeyFile: filepath.Join(c.CertificatePath, keyName)}, nil
	}
	key, _, err := inDirectory("KEY_PATH", c.KeyPath, keyName)
	return certs.Pair{CertFile: cert, KeyFile: key}, err
}

// inDirectory returns path, or the named file in it when it is a directory.
func inDirectory(variable, path, name string) (file string, directory bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", false, fmt.Errorf("%s: %w", variable, err)
	}
	if info.IsDir() {
		return filepath.Join(path, name), true, nil
	}
	return path, false, nil
}
