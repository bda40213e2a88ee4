package plan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/flotilla-dev/flotilla/internal/yamlfile"
)

// file is the YAML document. What is a pointer differs between "not said" and zero.
type file struct {
	Experiments []experiment `yaml:"experiments"`
	Shadows     []shadow     `yaml:"shadows"`
}

type experiment struct {
	Name     string    `yaml:"name"`
	Percent  *Percent  `yaml:"percent"`
	Upstream string    `yaml:"upstream"`
	TLSName  string    `yaml:"tls_name"`
	Sticky   string    `yaml:"sticky"`
	Path     string    `yaml:"path"`
	Timeout  *duration `yaml:"timeout"`
	Layer    string    `yaml:"layer"`
	From     Percent   `yaml:"from"`
	Budget   *budget   `yaml:"budget"`
}

type budget struct {
	Errors      *Percent  `yaml:"errors"`
	P99         *float64  `yaml:"p99"`
	Window      *duration `yaml:"window"`
	MinRequests *int      `yaml:"min_requests"`
}

type shadow struct {
	Name        string    `yaml:"name"`
	Percent     *Percent  `yaml:"percent"`
	Upstream    string    `yaml:"upstream"`
	TLSName     string    `yaml:"tls_name"`
	Path        string    `yaml:"path"`
	Timeout     *duration `yaml:"timeout"`
	Methods     []string  `yaml:"methods"`
	OwnStore    bool      `yaml:"own_store"`
	Credentials bool      `yaml:"credentials"`
	Compare     compare   `yaml:"compare"`
}

type compare struct {
	Body   string   `yaml:"body"`
	Ignore []string `yaml:"ignore"`
}

// duration is a time with its unit, above zero.
type duration time.Duration

// UnmarshalYAML refuses what has no unit or is not above zero.
func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v <= 0 || v > time.Hour {
		return yamlfile.Mistake(n, "a duration with its unit from above zero to 1h, such as 500ms")
	}
	*d = duration(v)
	return nil
}

// UnmarshalYAML reads a percentage exactly: as a float, 0.29 would be 28 hundredths.
func (p *Percent) UnmarshalYAML(n *yaml.Node) error {
	whole, rest, dot := strings.Cut(n.Value, ".")
	for len(rest) < 2 {
		rest += "0"
	}
	v, err := strconv.ParseUint(whole+rest, 10, 32)
	if n.Kind != yaml.ScalarNode || err != nil || len(rest) > 2 || whole == "" || dot && strings.HasSuffix(n.Value, ".") || v > Slots {
		return yamlfile.Mistake(n, "a percentage from 0.00 to 100.00 with at most two decimals")
	}
	*p = Percent(v)
	return nil
}

// Parse reads a file. lookup gives the values of variables whose names begin with Prefix. The error names
// every mistake.
func Parse(content []byte, lookup func(name string) (string, bool)) (*Plan, error) {
	var f file
	wrong, err := yamlfile.Decode(content, &f)
	if err != nil {
		return nil, fmt.Errorf("experiments: %w", err)
	}
	c := compiler{lookup: lookup, names: map[string]bool{}, wrong: wrong}
	p := c.compile(&f)
	if len(c.wrong) > 0 {
		return nil, fmt.Errorf("experiments: %w", errors.Join(c.wrong...))
	}
	return p, nil
}
