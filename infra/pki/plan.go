package pki

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// Names of the two authorities and of the edge's certificate in a Store. A
// service's certificate has the name of the service.
const (
	DevelopmentCA = "ca"
	InternalCA    = "internal-ca"
	Edge          = "edge"
)

// secretsPrefix begins the names of random secrets in a Store.
const secretsPrefix = "secrets/"

// Plan says which certificates there should be.
type Plan struct {
	// EdgeHosts are the DNS names and addresses of the edge. "*.localhost" alone
	// would do by RFC 6125, but browsers, OpenSSL and curl refuse a wildcard right
	// under a top-level name, so each virtual host is to be named as well.
	EdgeHosts  []string
	Services   []string      // internal services, each with a certificate of its own
	Secrets    []string      // random secrets that replicas share
	Namespace  string        // Kubernetes namespace that the services' names carry
	CALifetime time.Duration // of both authorities
	Lifetime   time.Duration // of the others
	Now        func() time.Time
}

// permitted is the tree of DNS names that the authorities may sign for: none of
// them can be a public name. "localhost" covers everything under it, and "svc"
// and "cluster.local" the names that Kubernetes gives to Services.
func (p Plan) permitted(authority string) []string {
	domains := []string{"localhost", "svc", "cluster.local"}
	if authority == DevelopmentCA {
		return append(domains, Edge)
	}
	for _, service := range p.Services {
		domains = append(domains, service, service+"."+p.Namespace)
	}
	return domains
}

// ServiceHosts are the names under which a service is called: on one machine,
// under its name in compose, and by Service or pod in Kubernetes.
func ServiceHosts(service, namespace string) []string {
	inNamespace := service + "." + namespace
	return []string{
		service, "*." + service,
		inNamespace, "*." + inNamespace,
		inNamespace + ".svc", "*." + inNamespace + ".svc",
		inNamespace + ".svc.cluster.local", "*." + inNamespace + ".svc.cluster.local",
		"localhost", "127.0.0.1", "::1",
	}
}

// request is one certificate that the plan asks for.
type request struct {
	name      string
	authority string
	hosts     []string
}

func (p Plan) requests() []request {
	all := []request{{Edge, DevelopmentCA, p.EdgeHosts}}
	for _, service := range p.Services {
		all = append(all, request{service, InternalCA, ServiceHosts(service, p.Namespace)})
	}
	return all
}

// validate finds what no certificate could be made for. A host that the
// authority may not sign for is found here rather than by a puzzled browser.
func (p Plan) validate() error {
	if p.Lifetime < time.Hour || p.CALifetime < p.Lifetime {
		return fmt.Errorf("lifetimes: want at least 1h, and the authorities' (%s) not shorter than the certificates' (%s)", p.CALifetime, p.Lifetime)
	}
	seen := map[string]bool{DevelopmentCA: true, InternalCA: true, Edge: true, "": true}
	for _, service := range p.Services {
		if seen[service] || strings.ContainsAny(service, "./*_ ") {
			return fmt.Errorf("service %q: want a plain name that occurs once", service)
		}
		seen[service] = true
	}
	for _, secret := range p.Secrets {
		if seen[secret] || strings.ContainsAny(secret, ".*_ ") || strings.Count(secret, "/") > 1 || strings.HasPrefix(secret, "/") || strings.HasSuffix(secret, "/") {
			return fmt.Errorf("secret %q: want a plain name that occurs once, or directory/name", secret)
		}
		seen[secret] = true
	}
	if len(p.EdgeHosts) == 0 {
		return fmt.Errorf("edge: no host is named")
	}
	for _, host := range p.EdgeHosts {
		if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
			continue
		}
		if !under(host, p.permitted(DevelopmentCA)) {
			return fmt.Errorf("edge host %q: the development CA signs for loopback addresses and for names under %s only",
				host, strings.Join(p.permitted(DevelopmentCA), ", "))
		}
	}
	return nil
}

func under(host string, domains []string) bool {
	for _, domain := range domains {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

func (p Plan) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}
