// Package stores opens the store of owners that a configuration asks for.
package stores

import (
	"context"
	"fmt"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/lease/etcdstore"
)

// Settings are the parameters of a program that uses a store.
type Settings struct {
	Kind      Kind              `env:"KIND" envDefault:"etcd" doc:"where owners are kept: etcd or kubernetes (Leases of coordination.k8s.io/v1)"`
	Endpoints []string          `env:"ETCD_ENDPOINTS" doc:"members of etcd: host:port, comma-separated; required with etcd"`
	Etcd      etcdclient.Access `envPrefix:"ETCD_"`
	Prefix    string            `env:"PREFIX" envDefault:"/ownership/" doc:"what the keys in etcd begin with; of a Lease's name, without slashes and with - for them"`
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

// Validate finds what a type cannot express; prefix is that of the variables.
func (s Settings) Validate(prefix string) config.Error {
	var wrong config.Error
	if s.Kind == "etcd" {
		if len(s.Endpoints) == 0 {
			wrong = append(wrong, config.Problem{Variable: prefix + "ETCD_ENDPOINTS", Message: "is required"})
		}
		wrong = append(wrong, s.etcd().Validate(prefix+"ETCD_")...)
	}
	if s.Prefix == "" {
		wrong = append(wrong, config.Problem{Variable: prefix + "PREFIX", Message: "want something to begin with, such as /ownership/"})
	}
	return wrong
}

func (s Settings) etcd() etcdclient.Settings {
	return etcdclient.Settings{Endpoints: s.Endpoints, Access: s.Etcd}
}

// A Store is a lease.Store that is closed in the end.
type Store interface {
	lease.Store
	Close() error
}

type onEtcd struct{ *etcdstore.Store }

func (s onEtcd) Close() error { return s.Etcd.Close() }

// Open returns the store. That it cannot be reached now is no error.
func (s Settings) Open(ctx context.Context) (Store, error) {
	client, err := s.etcd().Open(ctx)
	if err != nil {
		return nil, err
	}
	return onEtcd{&etcdstore.Store{Etcd: client, Prefix: s.Prefix, Timeout: s.Etcd.Timeout}}, nil
}
