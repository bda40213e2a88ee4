package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/ring"
)

// MaxMembers bounds an upstream.
const MaxMembers = ring.MaxMembers

// forms is what every error about an address ends with.
const forms = "write host:port[/adminport],… or dns:name:port[/adminport] or file:path"

// A Member is an endpoint as its address, DNS or an endpoint file tells of it.
type Member struct {
	Name  string // key on the ring; the data address where nothing gives a name
	Data  string // host:port that is called
	Admin string // host:port that answers /readyz, or "": passive health only
}

// An Address says where the endpoints of an upstream are. It has one of three
// forms, see the package comment; Parse and UnmarshalText make one. The zero
// Address has no endpoints.
type Address struct {
	text   string
	static []Member
	dns    *dnsName
	file   string
}

type dnsName struct{ host, port, admin string }

// Parse reads an address. The error names everything that is wrong with it.
func Parse(s string) (Address, error) {
	a := Address{text: strings.TrimSpace(s)}
	var err error
	switch rest := ""; {
	case a.text == "":
		err = errors.New("it is empty")
	case cut(a.text, "dns:", &rest):
		var m Member
		if m, err = parseMember(rest); err == nil {
			host, port, _ := net.SplitHostPort(m.Data)
			_, admin, _ := strings.Cut(rest, "/")
			a.dns = &dnsName{host, port, admin}
		}
	case cut(a.text, "file:", &rest):
		if a.file = rest; strings.ContainsRune(rest, 0) || rest == "" {
			err = errors.New("there is no path after the colon")
		}
	default:
		a.static, err = parseList(a.text)
	}
	if err != nil {
		return Address{}, fmt.Errorf("upstream address %q: %w; %s", s, err, forms)
	}
	return a, nil
}

func cut(s, prefix string, rest *string) (found bool) {
	*rest, found = strings.CutPrefix(s, prefix)
	return found
}

func parseList(s string) ([]Member, error) {
	var members []Member
	var errs []error
	for part := range strings.SplitSeq(s, ",") {
		m, err := parseMember(strings.TrimSpace(part))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		members = append(members, m)
	}
	errs = append(errs, distinct(members)...)
	return members, errors.Join(errs...)
}

// parseMember reads host:port[/adminport].
func parseMember(s string) (Member, error) {
	data, adminPort, hasAdmin := strings.Cut(s, "/")
	if strings.Contains(s, "://") {
		return Member{}, fmt.Errorf("%q is a URL, only host and port are wanted", s)
	}
	host, err := checkAddr(data)
	if err != nil {
		return Member{}, err
	}
	m := Member{Name: data, Data: data}
	if hasAdmin {
		if err := checkPort(adminPort); err != nil {
			return Member{}, fmt.Errorf("%q: administration %w", s, err)
		}
		m.Admin = net.JoinHostPort(host, adminPort)
	}
	return m, nil
}

// checkAddr returns the host of a host:port.
func checkAddr(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		var why *net.AddrError
		if errors.As(err, &why) {
			err = errors.New(why.Err) // without the address, which we quote
		}
		return "", fmt.Errorf("%q: %w", s, err)
	}
	if !validHost(host) {
		return "", fmt.Errorf("%q: host %q is neither a name nor an IP address", s, host)
	}
	if err := checkPort(port); err != nil {
		return "", fmt.Errorf("%q: %w", s, err)
	}
	return host, nil
}

func checkPort(s string) error {
	if n, err := strconv.ParseUint(s, 10, 16); err != nil || n == 0 || s[0] == '0' {
		return fmt.Errorf("port %q is not a number from 1 to 65535", s)
	}
	return nil
}

func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for _, c := range []byte(host) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// distinct returns an error for every name or data address that comes twice,
// and one when there are too many members.
func distinct(members []Member) []error {
	var errs []error
	names, datas := map[string]bool{}, map[string]bool{}
	for _, m := range members {
		switch {
		case datas[m.Data]:
			errs = append(errs, fmt.Errorf("address %q is there twice", m.Data))
		case names[m.Name]:
			errs = append(errs, fmt.Errorf("name %q is there twice", m.Name))
		}
		names[m.Name], datas[m.Data] = true, true
	}
	if len(members) > MaxMembers {
		errs = append(errs, fmt.Errorf("%d endpoints, at most %d are possible", len(members), MaxMembers))
	}
	return errs
}

// String returns the address as it was written.
func (a Address) String() string { return a.text }

// MarshalText and UnmarshalText make an Address a configuration value.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.text), nil }

// UnmarshalText is Parse.
func (a *Address) UnmarshalText(text []byte) (err error) {
	*a, err = Parse(string(text))
	return err
}
