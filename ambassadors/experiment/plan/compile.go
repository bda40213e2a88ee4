package plan

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Prefix of the variables that a file may refer to as ${NAME}.
const Prefix = "EXPERIMENT_UPSTREAM_"

// What is meant where nothing is said.
const (
	defaultPercent = 1000 // the book's tenth
	defaultTimeout = time.Second
	defaultWindow  = time.Minute
	defaultMin     = 100
)

// Production is the name of the arm that is no experiment.
const Production = "production"

// compiler turns the document into a plan and collects mistakes.
type compiler struct {
	lookup func(string) (string, bool)
	names  map[string]bool
	wrong  []error
}

func (c *compiler) bad(at, format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Errorf("%s: %s", strings.TrimSpace(at), fmt.Sprintf(format, args...)))
}

func (c *compiler) compile(f *file) *Plan {
	p := &Plan{}
	if len(f.Experiments) > MaxExperiments {
		c.bad("experiments", "%d of them, at most %d", len(f.Experiments), MaxExperiments)
		return p
	}
	if len(f.Shadows) > MaxShadows {
		c.bad("shadows", "%d of them, at most %d", len(f.Shadows), MaxShadows)
		return p
	}
	for i := range f.Experiments {
		c.experiment(p, fmt.Sprintf("experiments[%d] %s", i, f.Experiments[i].Name), &f.Experiments[i])
	}
	for i := range f.Shadows {
		p.Shadows = append(p.Shadows, c.shadow(fmt.Sprintf("shadows[%d] %s", i, f.Shadows[i].Name), &f.Shadows[i]))
	}
	for i := range p.Layers {
		c.ranges(&p.Layers[i])
	}
	slices.SortStableFunc(p.Layers, func(a, b Layer) int { return cmp.Compare(len(b.Path), len(a.Path)) })
	return p
}

func (c *compiler) experiment(p *Plan, at string, e *experiment) {
	c.name(at, e.Name)
	sticky, err := parseSticky(e.Sticky)
	if err != nil {
		c.bad(at, "%v", err)
	}
	if e.Layer != "" && !validName.MatchString(e.Layer) {
		c.bad(at, "layer %q: want %s", e.Layer, nameForm)
	}
	x := Experiment{Name: e.Name, From: e.From, Percent: percent(e.Percent), Arm: c.arm(at, e.Upstream, e.TLSName),
		Timeout: span(e.Timeout, defaultTimeout), Budget: c.budget(at, e.Budget)}
	if x.From+x.Percent > Slots {
		c.bad(at, "from %s and percent %s end above 100.00", x.From, x.Percent)
	}
	c.join(p, at, Layer{Name: cmp.Or(e.Layer, e.Name), Path: c.path(at, e.Path), Sticky: sticky}, x)
}

// join puts an experiment into its layer, which all of its experiments must describe alike.
func (c *compiler) join(p *Plan, at string, l Layer, x Experiment) {
	for i := range p.Layers {
		switch other := &p.Layers[i]; {
		case other.Name == l.Name:
			if other.Path != l.Path || other.Sticky != l.Sticky {
				c.bad(at, "path %s and sticky %s differ from %s and %s of the others in layer %s", l.Path, l.Sticky, other.Path, other.Sticky, l.Name)
			}
			other.Experiments = append(other.Experiments, x)
			return
		case other.Path == l.Path:
			c.bad(at, "layer %s has the path %s too: put both into one layer, with different from", other.Name, l.Path)
		}
	}
	l.Experiments = []Experiment{x}
	p.Layers = append(p.Layers, l)
}

// ranges orders the experiments of a layer and refuses those that share slots.
func (c *compiler) ranges(l *Layer) {
	slices.SortStableFunc(l.Experiments, func(a, b Experiment) int { return cmp.Compare(a.From, b.From) })
	for i := 1; i < len(l.Experiments); i++ {
		one, next := l.Experiments[i-1], l.Experiments[i]
		if end := one.From + one.Percent; end > next.From || one.From == next.From {
			c.bad("layer "+l.Name, "%s has the users from %s to %s, and %s begins at %s: give it a from of %s or more, or %s less percent",
				one.Name, one.From, end, next.Name, next.From, max(end, one.From+1), one.Name)
		}
	}
}

func (c *compiler) shadow(at string, s *shadow) Shadow {
	c.name(at, s.Name)
	methods := s.Methods
	if len(methods) == 0 {
		methods = []string{http.MethodGet, http.MethodHead}
	}
	for _, m := range methods {
		switch {
		case !token(m) || m != strings.ToUpper(m):
			c.bad(at, "methods: %q is none", m)
		case !safe(m) && !s.OwnStore:
			c.bad(at, "methods: %s changes what production stores; own_store: true says that the shadow has a store of its own", m)
		}
	}
	if s.Compare.Body != "" && s.Compare.Body != "exact" && s.Compare.Body != "json" {
		c.bad(at, "compare: body %q: want exact or json", s.Compare.Body)
	}
	if len(s.Compare.Ignore) > 0 && s.Compare.Body != "json" {
		c.bad(at, "compare: ignore names fields of JSON, so it needs body: json")
	}
	for _, field := range s.Compare.Ignore {
		if field == "" || strings.Contains(field, ",") || strings.Contains("."+field+".", "..") {
			c.bad(at, "compare: ignore %q: want the names of fields joined by dots", field)
		}
	}
	return Shadow{Name: s.Name, Percent: percent(s.Percent), Arm: c.arm(at, s.Upstream, s.TLSName), Path: c.path(at, s.Path),
		Methods: strings.Join(methods, ","), Credentials: s.Credentials, Timeout: span(s.Timeout, defaultTimeout),
		JSON: s.Compare.Body == "json", Ignore: strings.Join(s.Compare.Ignore, ",")}
}

// safe tells whether a method only reads (RFC 9110, 9.2.1). TRACE would show credentials.
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

const nameForm = "a letter, then up to 39 letters, digits or -, all small"

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

func (c *compiler) name(at, name string) {
	switch {
	case !validName.MatchString(name):
		c.bad(at, "name %q: want %s", name, nameForm)
	case name == Production || c.names[name]:
		c.bad(at, "name %q is used twice", name)
	}
	c.names[name] = true
}

func (c *compiler) path(at, path string) string {
	path = cmp.Or(path, "/")
	if path[0] != '/' || len(path) > 200 || strings.ContainsAny(path, "?# \t\r\n") {
		c.bad(at, "path %q: want a path that begins with /", path)
	}
	return path
}

func (c *compiler) arm(at, address, tlsName string) Arm {
	if name, ok := strings.CutPrefix(address, "${"); ok {
		name, closed := strings.CutSuffix(name, "}")
		value, set := "", false
		if strings.HasPrefix(name, Prefix) && closed && c.lookup != nil {
			value, set = c.lookup(name)
		}
		if !set {
			c.bad(at, "upstream %s: want ${%s<NAME>} of a variable that is set", address, Prefix)
			return Arm{}
		}
		address = value
	}
	if _, err := upstream.Parse(address); err != nil {
		c.bad(at, "%v", err)
	}
	if strings.ContainsAny(tlsName, " /:") {
		c.bad(at, "tls_name %q: want the name that the certificate bears", tlsName)
	}
	return Arm{Upstream: address, TLSName: tlsName}
}

func (c *compiler) budget(at string, b *budget) Budget {
	out := Budget{Errors: None, Window: defaultWindow, MinRequests: defaultMin}
	if b == nil {
		return out
	}
	if b.Errors != nil {
		out.Errors = *b.Errors
	}
	if b.P99 != nil {
		if out.P99 = *b.P99; !(out.P99 >= 1 && out.P99 <= 1000) {
			c.bad(at, "budget: p99 %g: want a multiple of production's, 1 to 1000", out.P99)
		}
	}
	if out.Zero() {
		c.bad(at, "budget: want errors (in percent), p99 (a multiple of production's) or both")
	}
	out.Window = span(b.Window, defaultWindow)
	if out.Window < time.Second {
		c.bad(at, "budget: window %s: want 1s or more", out.Window)
	}
	if b.MinRequests != nil {
		if out.MinRequests = *b.MinRequests; out.MinRequests < 1 {
			c.bad(at, "budget: min_requests %d: want 1 or more", out.MinRequests)
		}
	}
	return out
}

func percent(p *Percent) Percent {
	if p == nil {
		return defaultPercent
	}
	return *p
}

func span(d *duration, fallback time.Duration) time.Duration {
	if d == nil {
		return fallback
	}
	return time.Duration(*d)
}
