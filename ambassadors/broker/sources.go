package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/osb"
	"github.com/flotilla-dev/flotilla/ambassadors/broker/source"
	"github.com/flotilla-dev/flotilla/internal/etcdclient"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// sources makes the sources that are configured, in their order. needed is
// closed when one is to be provisioned.
func sources(p *process.Process, cfg Config, needed <-chan struct{}) ([]source.Source, error) {
	var all []source.Source
	if len(cfg.Target.Candidates) > 0 {
		all = append(all, source.Static{Candidates: cfg.Target.Candidates})
	}
	if cfg.BindingRoot != "" {
		all = append(all, source.Binding{Root: cfg.BindingRoot, Only: cfg.Binding, Kinds: cfg.Protocol.Kinds(), Port: cfg.Protocol.Port()})
	}
	if cfg.File != "" {
		all = append(all, source.File{Path: strings.TrimPrefix(cfg.File, "file:")})
	}
	if cfg.EtcdEndpoints != "" {
		client, err := etcd(p, cfg)
		if err != nil {
			return nil, err
		}
		all = append(all, source.Etcd{Client: client, Key: cfg.EtcdKey, Timeout: etcdTimeout})
	}
	if cfg.SRV != "" {
		all = append(all, source.SRV{Record: cfg.SRV, Resolver: resolver(cfg.DNS), Every: cfg.Resolve, Timeout: 2 * time.Second})
	}
	if cfg.OSBURL != "" {
		order, err := order(p, cfg)
		if err != nil {
			return nil, err
		}
		all = append(all, source.Provision{
			Provisioner: order, Permanent: osb.Permanent, Dir: cfg.ProvisionDir, Port: cfg.Protocol.Port(),
			Needed: needed, Timeout: cfg.OSBTimeout, Log: p.Log,
		})
	}
	return all, nil
}

// etcdTimeout bounds a connection to etcd, and a read.
const etcdTimeout = 2 * time.Second

func etcd(p *process.Process, cfg Config) (*clientv3.Client, error) {
	settings := etcdclient.Settings{
		Endpoints: cfg.endpoints(),
		Access:    etcdclient.Access{CAFile: cfg.EtcdCAFile, User: cfg.EtcdUser, PasswordFile: cfg.EtcdPasswordFile, Timeout: etcdTimeout},
	}
	client, err := settings.Open(context.Background()) // closed below, when the process has drained
	if err != nil {
		return nil, fmt.Errorf("BROKER_ETCD_…: %w", err)
	}
	p.Go("etcd", func(ctx context.Context) error {
		<-ctx.Done()
		_ = client.Close() // it tells that its context is done
		return nil
	})
	return client, nil
}

func resolver(server string) *net.Resolver {
	if server == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, server)
	}}
}

// order is what a service broker is asked for.
func order(p *process.Process, cfg Config) (osb.Order, error) {
	password, err := readSecret("BROKER_OSB_PASSWORD_FILE", cfg.OSBPasswordFile)
	if err != nil {
		return osb.Order{}, err
	}
	client, err := httpclient.New(httpclient.Options{
		Name: "service-broker", Timeout: 60 * time.Second, HeaderTimeout: 60 * time.Second, Retry: retry.DefaultSettings(), Metrics: p.Metrics,
	})
	if err != nil {
		return osb.Order{}, err
	}
	p.Go("service broker", func(ctx context.Context) error {
		<-ctx.Done()
		client.CloseIdleConnections()
		return nil
	})
	o := osb.Order{
		Client:  &osb.Client{URL: cfg.OSBURL, User: cfg.OSBUser, Password: password, HTTP: client},
		Service: cfg.OSBService, Plan: cfg.OSBPlan, Name: cfg.OSBName, Kind: string(cfg.Protocol), Poll: 2 * time.Second,
	}
	if cfg.OSBParameters != "" {
		o.Parameters = json.RawMessage(cfg.OSBParameters)
	}
	return o, nil
}

// logReport tells how a source fares.
func logReport(log *slog.Logger, name string, r source.Report) {
	switch r.State {
	case source.Found:
		log.Info("source knows the database", "source", name, "addresses", fmt.Sprint(r.Candidates))
	case source.Failed:
		log.Warn("source cannot be asked, what it said last stays", "source", name, "reason", r.Reason)
	default:
		log.Info("source knows no database", "source", name, "state", r.State, "reason", r.Reason)
	}
}
