// Package etcdclient connects a program to etcd by its parameters, and puts what
// goes wrong there into a few words that may be shown.
package etcdclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Settings are the parameters of a program that needs etcd. One that can do without
// has Endpoints of its own that may be empty, and an Access.
type Settings struct {
	Endpoints []string `env:"ENDPOINTS,required,notEmpty" doc:"members of etcd: host:port, comma-separated"`
	Access
}

// Access is how etcd is spoken to, wherever it is.
type Access struct {
	CAFile       string        `env:"CA_FILE" doc:"PEM file of the authorities that certify etcd, read once; without it the connection is plain"`
	CertFile     string        `env:"CERT_FILE" doc:"certificate (PEM) to show to etcd, read again for each connection"`
	KeyFile      string        `env:"KEY_FILE" doc:"its private key (PEM)"`
	User         string        `env:"USER" doc:"user of etcd"`
	PasswordFile string        `env:"PASSWORD_FILE" doc:"file with the password of the user"`
	Timeout      time.Duration `env:"TIMEOUT" envDefault:"2s" doc:"for one request to etcd"`
}

// Validate finds what a type cannot express; prefix is that of the variables.
func (s Settings) Validate(prefix string) config.Error {
	var wrong config.Error
	for _, endpoint := range s.Endpoints {
		if strings.Contains(endpoint, "/") || !strings.Contains(endpoint, ":") {
			wrong.Add(prefix+"ENDPOINTS", "%q is not valid: want host:port", endpoint)
		}
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		wrong.Add(prefix+"CERT_FILE, "+prefix+"KEY_FILE", "set both or neither")
	}
	if s.CertFile != "" && s.CAFile == "" {
		wrong.Add(prefix+"CERT_FILE", "needs %sCA_FILE: without it the connection is plain", prefix)
	}
	if (s.User == "") != (s.PasswordFile == "") {
		wrong.Add(prefix+"USER, "+prefix+"PASSWORD_FILE", "set both or neither")
	}
	if s.Timeout <= 0 {
		wrong.Add(prefix+"TIMEOUT", "want more than 0s")
	}
	return wrong
}

// Open returns a client. It connects to all members by itself, and again whenever a
// connection is lost; that etcd is away now is no error. A request goes to one of those that
// are connected, in turn. One that a member refuses because it has no leader goes to the
// next one; one whose member is killed on the way is an error, for nobody knows what became
// of it. A connection is given up that for 10 seconds has brought nothing, and then no
// answer to a ping; gRPC does not ask more often.
func (s Settings) Open(ctx context.Context) (*clientv3.Client, error) {
	secure, err := s.tls()
	if err != nil {
		return nil, err
	}
	password := ""
	if s.PasswordFile != "" {
		text, err := watch.Read(s.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password of etcd: %w", err)
		}
		password = strings.TrimSpace(string(text))
	}
	client, err := clientv3.New(clientv3.Config{
		Context: context.WithoutCancel(ctx), Endpoints: s.Endpoints, TLS: secure, Username: s.User, Password: password,
		DialTimeout:       s.Timeout,
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
		Logger: zap.NewNop(), // what matters comes back as an error
		DialOptions: []grpc.DialOption{
			grpc.WithConnectParams(grpc.ConnectParams{
				// gRPC's own delays grow to two minutes: as long would it take to notice
				// that etcd is back.
				Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
				MinConnectTimeout: time.Second,
			}),
			grpc.WithChainUnaryInterceptor(requireLeader(s.Timeout)), grpc.WithChainStreamInterceptor(requireLeaderOfStream),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("etcd client: %w", err)
	}
	return client, nil
}

func (s Settings) tls() (*tls.Config, error) {
	if s.CAFile == "" {
		return nil, nil
	}
	pem, err := watch.Read(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("authorities of etcd: %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities of etcd: %s holds no certificate", s.CAFile)
	}
	if s.CertFile != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
			return &pair, err
		}
	}
	return c, nil
}

// Explain says what went wrong in words that may be shown: the texts of etcd tell
// of addresses and of its inside.
func Explain(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "etcd does not answer"
	case errors.Is(err, rpctypes.ErrNoLeader):
		return "etcd has no leader"
	case errors.Is(err, rpctypes.ErrNoSpace):
		return "etcd is full"
	case errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrUserEmpty), errors.Is(err, rpctypes.ErrInvalidAuthToken):
		return "etcd does not permit this to the user"
	}
	return "etcd cannot be used"
}

// Unavailable tells whether etcd may answer the same request later. What became
// of the request is not known then: it may have been carried out.
func Unavailable(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	switch status.Code(innermost(err)) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return true
	}
	var known rpctypes.EtcdError
	return errors.As(err, &known) && known.Code() == codes.Unavailable
}

// innermost is the error of gRPC within those that say what was being done.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
