package broker

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/protocol"
	"github.com/flotilla-dev/flotilla/ambassadors/broker/source"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Program describes broker to operators and to the wiring test.
var Program = process.Program{
	Name:  "broker",
	About: "finds the database of an application that connects to localhost",
	// The application is in the same pod; nobody else is to reach its database so.
	Defaults: map[string]string{"LISTEN_ADDR": "127.0.0.1:3306"},
	Calls:    []string{"a database: MySQL, PostgreSQL or any protocol on TCP", "etcd: gRPC", "a service broker: HTTP"},
}

// Config is the configuration of broker. The sources are asked in the order in
// which they stand here.
type Config struct {
	process.Contract
	Protocol protocol.Name `env:"BROKER_PROTOCOL" envDefault:"mysql" doc:"mysql, postgres or tcp: how the database is checked, and how clients are refused"`

	Target      List   `env:"BROKER_TARGET" doc:"source environment: host:port, or several with commas, the preferred one first"`
	BindingRoot string `env:"SERVICE_BINDING_ROOT" doc:"source binding: folder with service bindings (servicebinding.io)"`
	Binding     string `env:"BROKER_BINDING" doc:"name of the binding; empty: the first whose type is the protocol"`
	File        string `env:"BROKER_FILE" doc:"source file: a watched file with addresses, host:port a line, or an endpoint file; file: in front of the path is allowed"`

	EtcdEndpoints    string `env:"BROKER_ETCD_ENDPOINTS" doc:"source etcd: URLs with commas"`
	EtcdKey          string `env:"BROKER_ETCD_KEY" doc:"key whose value is a list of addresses"`
	EtcdUser         string `env:"BROKER_ETCD_USER" doc:"user of etcd"`
	EtcdPasswordFile string `env:"BROKER_ETCD_PASSWORD_FILE" doc:"file with the user's password"`
	EtcdCAFile       string `env:"BROKER_ETCD_CA_FILE" doc:"CA of etcd's certificate; empty: the system's"`

	SRV     string        `env:"BROKER_SRV" doc:"source srv: name of SRV records, as in _mysql._tcp.db.example"`
	DNS     string        `env:"BROKER_DNS" doc:"DNS server for them, host:port; empty: the system's"`
	Resolve time.Duration `env:"BROKER_RESOLVE_INTERVAL" envDefault:"1s" doc:"how often SRV records are looked up again"`

	OSBURL          string        `env:"BROKER_OSB_URL" doc:"source provision: URL of an Open Service Broker, asked for a database where no other source knows of one"`
	OSBUser         string        `env:"BROKER_OSB_USER" doc:"user of the service broker"`
	OSBPasswordFile string        `env:"BROKER_OSB_PASSWORD_FILE" doc:"file with the user's password"`
	OSBService      string        `env:"BROKER_OSB_SERVICE" doc:"name or id of the service"`
	OSBPlan         string        `env:"BROKER_OSB_PLAN" doc:"name or id of the plan; empty: the only one"`
	OSBName         string        `env:"BROKER_OSB_NAME" doc:"name of the application: the same name gets the same database"`
	OSBParameters   string        `env:"BROKER_OSB_PARAMETERS" doc:"parameters of the service, a JSON object"`
	OSBTimeout      time.Duration `env:"BROKER_OSB_TIMEOUT" envDefault:"10m" doc:"how long one try may take"`
	ProvisionDir    string        `env:"BROKER_PROVISION_DIR" envDefault:"/var/lib/broker/provisioned" doc:"folder in which the binding is recorded, and from which the application may read user and password"`

	CheckInterval time.Duration `env:"BROKER_CHECK_INTERVAL" envDefault:"1s" doc:"how often the database is checked"`
	CheckTimeout  time.Duration `env:"BROKER_CHECK_TIMEOUT" envDefault:"500ms" doc:"how long one check may take"`
	CheckUp       int           `env:"BROKER_CHECK_UP" envDefault:"2" doc:"good checks in a row that bring an address back"`
	CheckDown     int           `env:"BROKER_CHECK_DOWN" envDefault:"2" doc:"failed checks in a row that take an address out (a refused connection does at once)"`
	CheckUser     string        `env:"BROKER_CHECK_USER" envDefault:"broker" doc:"user as whom checks log in, without a password; it need not exist, but then the database may log that it refused it"`

	Connect      time.Duration `env:"BROKER_CONNECT_TIMEOUT" envDefault:"1s" doc:"how long one address may take to accept a connection and, with mysql, to greet"`
	ConnectLimit time.Duration `env:"BROKER_CONNECT_LIMIT" envDefault:"3s" doc:"how long a client waits for all of them before it is refused"`
	Drain        time.Duration `env:"BROKER_DRAIN" envDefault:"30s" doc:"how long open connections to a former target may live, and half-closed ones to any"`
	MaxConns     int           `env:"BROKER_MAX_CONNECTIONS" envDefault:"1024" doc:"connections at a time; more are refused"`
}

// List is a list of addresses as a configuration value.
type List struct {
	text       string
	Candidates []source.Candidate
}

// UnmarshalText parses the list.
func (l *List) UnmarshalText(text []byte) error {
	candidates, err := source.ParseList(string(text))
	if err != nil {
		return err
	}
	*l = List{string(text), candidates}
	return nil
}

// String returns the list as it was written.
func (l List) String() string { return l.text }

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	none := len(c.Target.Candidates) == 0 && c.BindingRoot == "" && c.File == "" && c.EtcdEndpoints == "" && c.SRV == "" && c.OSBURL == ""
	wrong.Want(!none, "BROKER_TARGET, SERVICE_BINDING_ROOT, BROKER_FILE, BROKER_ETCD_ENDPOINTS, BROKER_SRV, BROKER_OSB_URL", "set at least one: where is the database?")
	wrong.Want((c.EtcdEndpoints == "") == (c.EtcdKey == ""), "BROKER_ETCD_ENDPOINTS, BROKER_ETCD_KEY", "set both or neither")
	wrong.Want((c.EtcdUser == "") == (c.EtcdPasswordFile == ""), "BROKER_ETCD_USER, BROKER_ETCD_PASSWORD_FILE", "set both or neither")
	wrong.Want((c.OSBUser == "") == (c.OSBPasswordFile == ""), "BROKER_OSB_USER, BROKER_OSB_PASSWORD_FILE", "set both or neither")
	if c.OSBURL != "" {
		u, err := url.Parse(c.OSBURL)
		wrong.Want(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil, "BROKER_OSB_URL", "want http://host or https://host, without user and password")
		wrong.Want(c.OSBService != "", "BROKER_OSB_SERVICE", "is required with BROKER_OSB_URL")
		wrong.Want(c.OSBName != "", "BROKER_OSB_NAME", "is required with BROKER_OSB_URL: what the database is for")
		wrong.Want(c.OSBTimeout > 0, "BROKER_OSB_TIMEOUT", "want more than 0s")
		wrong.Want(c.OSBParameters == "" || isObject(c.OSBParameters), "BROKER_OSB_PARAMETERS", "want a JSON object")
	}
	for _, e := range c.endpoints() {
		u, err := url.Parse(e)
		wrong.Want(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "BROKER_ETCD_ENDPOINTS", "%q is no URL such as http://etcd:2379", e)
	}
	if c.DNS != "" {
		_, _, err := net.SplitHostPort(c.DNS)
		wrong.Want(err == nil, "BROKER_DNS", "want host:port")
	}
	wrong.Want(!strings.ContainsAny(c.Binding, "/\\") && !strings.HasPrefix(c.Binding, "."), "BROKER_BINDING", "want the name of a folder in SERVICE_BINDING_ROOT")
	wrong.Want(c.CheckUp >= 1, "BROKER_CHECK_UP", "want at least 1")
	wrong.Want(c.CheckDown >= 1, "BROKER_CHECK_DOWN", "want at least 1")
	wrong.Want(c.CheckUser != "" && len(c.CheckUser) <= 32 && !strings.ContainsRune(c.CheckUser, 0), "BROKER_CHECK_USER", "want a name of 1 to 32 bytes")
	for variable, d := range map[string]time.Duration{
		"BROKER_CHECK_INTERVAL": c.CheckInterval, "BROKER_CHECK_TIMEOUT": c.CheckTimeout, "BROKER_RESOLVE_INTERVAL": c.Resolve,
		"BROKER_CONNECT_TIMEOUT": c.Connect, "BROKER_CONNECT_LIMIT": c.ConnectLimit,
	} {
		wrong.Want(d > 0, variable, "want more than 0s")
	}
	wrong.Want(c.MaxConns >= 1, "BROKER_MAX_CONNECTIONS", "want at least 1")
	return wrong.Err()
}

func isObject(text string) bool {
	var object map[string]any
	return json.Unmarshal([]byte(text), &object) == nil && object != nil
}

func (c Config) endpoints() []string {
	var all []string
	for e := range strings.SplitSeq(c.EtcdEndpoints, ",") {
		if e = strings.TrimSpace(e); e != "" {
			all = append(all, e)
		}
	}
	return all
}

// readSecret reads a file whose content is a secret.
func readSecret(variable, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	content, err := watch.Read(file)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", variable, err)
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("read %s: %s is empty", variable, file)
	}
	return secret, nil
}
