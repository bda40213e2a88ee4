// Package stores opens the store of owners that a configuration asks for.
package stores

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/kube"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/lease/etcdstore"
	"github.com/flotilla-dev/flotilla/services/ownership/lease/kubestore"
)

// Settings are the parameters of a program that uses a store.
type Settings struct {
	Kind      Kind              `env:"KIND" envDefault:"etcd" doc:"where owners are kept: etcd or kubernetes (Leases of coordination.k8s.io/v1)"`
	Prefix    string            `env:"PREFIX" envDefault:"/ownership/" doc:"what the keys in etcd begin with; the names of Leases begin with the same, but - for /"`
	Endpoints []string          `env:"ETCD_ENDPOINTS" doc:"members of etcd: host:port, comma-separated; required with etcd"`
	Etcd      etcdclient.Access `envPrefix:"ETCD_"`
	Kube      Kubernetes        `envPrefix:"KUBE_"`
}

// Kubernetes says where the API server is and as whom it is asked.
type Kubernetes struct {
	URL       string        `env:"URL" envDefault:"https://kubernetes.default.svc" doc:"API server"`
	Account   string        `env:"ACCOUNT_DIR" envDefault:"/var/run/secrets/kubernetes.io/serviceaccount" doc:"folder with token, ca.crt and namespace of the service account, each read again when it changes"`
	Namespace string        `env:"NAMESPACE" doc:"namespace of the Leases; that of the service account when empty"`
	Timeout   time.Duration `env:"TIMEOUT" envDefault:"2s" doc:"for one request to the API server"`
}

// A Kind of store.
type Kind string

// UnmarshalText accepts etcd and kubernetes.
func (k *Kind) UnmarshalText(text []byte) error {
	switch *k = Kind(text); *k {
	case "etcd", "kubernetes":
		return nil
	}
	return fmt.Errorf("%.40q is not valid: want etcd or kubernetes", text)
}

// Timeout bounds one request to the store.
func (s Settings) Timeout() time.Duration {
	if s.Kind == "kubernetes" {
		return s.Kube.Timeout
	}
	return s.Etcd.Timeout
}

// Validate finds what a type cannot express; prefix is that of the variables.
func (s Settings) Validate(prefix string) config.Error {
	var wrong config.Error
	wrong.Want(strings.Trim(s.Prefix, "/") != "", prefix+"PREFIX", "want something to begin with, such as /ownership/")
	if s.Kind == "kubernetes" {
		if err := kube.CheckURL(s.Kube.URL); err != nil {
			wrong.Add(prefix+"KUBE_URL", "%v", err)
		}
		wrong.Want(leaseName.MatchString(s.leases()), prefix+"PREFIX", "want lower-case letters, digits, - and /: a Lease has a DNS name")
		wrong.Want(s.Kube.Timeout > 0, prefix+"KUBE_TIMEOUT", "want more than 0s")
		return wrong
	}
	wrong.Want(len(s.Endpoints) > 0, prefix+"ETCD_ENDPOINTS", "is required")
	return append(wrong, s.etcd().Validate(prefix+"ETCD_")...)
}

// leaseName is what the names of Leases may begin with.
var leaseName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,60}-$`)

// leases is what the names of Leases begin with.
func (s Settings) leases() string {
	return strings.ReplaceAll(strings.Trim(s.Prefix, "/"), "/", "-") + "-"
}

func (s Settings) etcd() etcdclient.Settings {
	return etcdclient.Settings{Endpoints: s.Endpoints, Access: s.Etcd}
}

// A Store is a lease.Store that is closed in the end.
type Store interface {
	lease.Store
	Close() error
}

// Open returns the store. That it cannot be reached now is no error. Files are
// followed until ctx ends.
func (s Settings) Open(ctx context.Context, log *slog.Logger) (Store, error) {
	if s.Kind == "kubernetes" {
		return s.Kube.open(ctx, log, s.leases())
	}
	client, err := s.etcd().Open(ctx)
	if err != nil {
		return nil, err
	}
	return onEtcd{&etcdstore.Store{Etcd: client, Prefix: s.Prefix, Timeout: s.Etcd.Timeout}}, nil
}

type onEtcd struct{ *etcdstore.Store }

func (s onEtcd) Close() error { return s.Etcd.Close() }

// onKubernetes has a client, and somebody who follows its authorities.
type onKubernetes struct {
	*kubestore.Store
	stop func()
}

func (s onKubernetes) Close() error {
	s.stop()
	return nil
}

func (k Kubernetes) open(ctx context.Context, log *slog.Logger, prefix string) (Store, error) {
	api, err := kube.Open(kube.Account{URL: k.URL, Dir: k.Account, Namespace: k.Namespace, Timeout: k.Timeout})
	if err != nil {
		return nil, err
	}
	following, cancel := context.WithCancel(ctx)
	var followers sync.WaitGroup
	followers.Go(func() { api.Follow(following, log) })
	stop := func() {
		cancel()
		followers.Wait()
		api.Close()
	}
	return onKubernetes{kubestore.New(api, prefix), stop}, nil
}
