package pki

import (
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
)

// Program is the name of the program, and the prefix of its variables.
const Program = "pki"

// Config is the configuration of the program. Flags of its subcommands stand
// above the variables.
type Config struct {
	Dir        string        `env:"PKI_DIR" envDefault:".flotilla/pki" doc:"directory of pki dir, show and trust"`
	EdgeHosts  []string      `env:"PKI_EDGE_HOSTS" envDefault:"localhost,*.localhost,dictionary.localhost,search.localhost,edge,127.0.0.1,::1" doc:"names and loopback addresses of the edge's certificate"`
	Services   []string      `env:"PKI_SERVICES" envDefault:"dictionary,cache,legacy" doc:"internal services, each gets a certificate under the internal CA"`
	Secrets    []string      `env:"PKI_SECRETS" envDefault:"edge-tickets,config-token,git-push-token,git-hook-secret,guestbook-database,shards-token" doc:"random secrets (256 bits, in hexadecimal): what replicas of a program share, and tokens; in a directory also as directory/name"`
	Namespace  string        `env:"PKI_NAMESPACE" envDefault:"flotilla" doc:"Kubernetes namespace in the services' names; pki secret writes to its pod's own namespace and uses that"`
	Lifetime   time.Duration `env:"PKI_LIFETIME" envDefault:"8760h" doc:"of a server certificate; it is renewed when a third is left"`
	CALifetime time.Duration `env:"PKI_CA_LIFETIME" envDefault:"87600h" doc:"of the two authorities"`
	AccountDir string        `env:"PKI_SERVICE_ACCOUNT_DIR" envDefault:"/var/run/secrets/kubernetes.io/serviceaccount" doc:"where Kubernetes mounts the service account of the pod"`
	Timeout    time.Duration `env:"PKI_TIMEOUT" envDefault:"1m" doc:"after which a command gives up"`

	APIHost string `env:"KUBERNETES_SERVICE_HOST" doc:"API server, set by Kubernetes"`
	APIPort string `env:"KUBERNETES_SERVICE_PORT" envDefault:"443" doc:"its port, set by Kubernetes"`
}

// Spec is how the configuration is read.
func Spec() config.Spec { return config.Spec{Program: Program, Prefix: "PKI_"} }

// Plan is the plan that the configuration describes.
func (c Config) Plan() Plan {
	return Plan{EdgeHosts: c.EdgeHosts, Services: c.Services, Secrets: c.Secrets, Namespace: c.Namespace, Lifetime: c.Lifetime, CALifetime: c.CALifetime}
}

// DefaultPlan is the plan of a fleet that configures nothing.
func DefaultPlan() (Plan, error) {
	cfg, _, err := config.Parse[Config](Spec(), nil)
	return cfg.Plan(), err
}
