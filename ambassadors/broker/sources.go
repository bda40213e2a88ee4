package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/osb"
	"github.com/flotilla-dev/flotilla/ambassadors/broker/source"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/watch"
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
	password, err := readSecret("BROKER_ETCD_PASSWORD_FILE", cfg.EtcdPasswordFile)
	if err != nil {
		return nil, err
	}
	c := clientv3.Config{
		Endpoints: cfg.endpoints(), Username: cfg.EtcdUser, Password: password, DialTimeout: etcdTimeout,
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
		Logger: zap.NewNop(), // what matters is in the errors
	}
	if cfg.EtcdCAFile != "" {
		pem, err := watch.Read(cfg.EtcdCAFile)
		if err != nil {
			return nil, fmt.Errorf("read BROKER_ETCD_CA_FILE: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read BROKER_ETCD_CA_FILE: %s has no certificate", cfg.EtcdCAFile)
		}
		c.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	client, err := clientv3.New(c)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
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
