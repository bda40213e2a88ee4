package upstream

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
)

func TestWrongAddressesSayWhatIsRight(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "it is empty",
		"   ":                           "it is empty",
		"localhost":                     `"localhost": missing port`,
		"localhost:":                    `port "" is not`,
		"localhost:http":                `port "http" is not`,
		"localhost:0":                   `port "0" is not`,
		"localhost:080":                 `port "080" is not`,
		"localhost:65536":               `port "65536" is not`,
		":8080":                         `host "" is neither`,
		"a b:1":                         `host "a b" is neither`,
		"[::1:80":                       "missing ']'",
		"::1:80":                        "too many colons",
		"[fe80::zz]:80":                 `host "fe80::zz" is neither`,
		"http://a:80":                   "is a URL",
		"a:80/":                         `administration port "" is not`,
		"a:80/x":                        `administration port "x" is not`,
		"a:80/b:90":                     `administration port "b:90" is not`,
		"a:1,,b:2":                      `"": missing port`,
		"a:1,b:2,":                      `"": missing port`,
		"a:1,a:1":                       `"a:1" is there twice`,
		"a:x,b:y":                       `port "y" is not`, // the second error is named too
		"dns:":                          "missing port",
		"dns:a":                         "missing port",
		"dns:a:1,b:2":                   "too many colons",
		"dns:a:1/0":                     `administration port "0"`,
		"file:":                         "no path",
		"file:a\x00b":                   "no path",
		strings.Repeat("h", 254) + ":1": "is neither",
	} {
		_, err := Parse(in)
		if err == nil {
			t.Errorf("%q was taken", in)
			continue
		}
		if !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), forms) {
			t.Errorf("%q: error %q does not say %q and the forms", in, err, want)
		}
	}
}

func TestAddressForms(t *testing.T) {
	a := mustParse(t, " a.example:80/90, 10.0.0.1:81 ,[::1]:82/92,my_host-1:83")
	want := []Member{
		{"a.example:80", "a.example:80", "a.example:90"},
		{"10.0.0.1:81", "10.0.0.1:81", ""},
		{"[::1]:82", "[::1]:82", "[::1]:92"},
		{"my_host-1:83", "my_host-1:83", ""},
	}
	if !slices.Equal(a.static, want) {
		t.Errorf("list: %v", a.static)
	}
	if a := mustParse(t, "dns:web.default.svc:80/90"); a.dns == nil || *a.dns != (dnsName{"web.default.svc", "80", "90"}) {
		t.Errorf("dns: %+v", a.dns)
	}
	if a := mustParse(t, "dns:web:80"); a.dns == nil || a.dns.admin != "" {
		t.Errorf("dns without admin: %+v", a.dns)
	}
	if a := mustParse(t, "file:/run/a b/x"); a.file != "/run/a b/x" {
		t.Errorf("file: %q", a.file)
	}
}

func TestConfigurationFromEnvironment(t *testing.T) {
	var c struct {
		Intervals
		Upstream Address `env:"UPSTREAM"`
		Policy   Policy  `env:"BALANCE" envDefault:"least-requests"`
		Health
	}
	parse := func(environ map[string]string) error {
		return env.ParseWithOptions(&c, env.Options{Environment: environ})
	}
	if err := parse(map[string]string{"UPSTREAM": "a:1", "BALANCE": "round-robin"}); err != nil {
		t.Fatal(err)
	}
	intervals, health := Default()
	if c.Intervals != intervals || c.Health != health {
		t.Errorf("tags give %+v %+v, Default %+v %+v", c.Intervals, c.Health, intervals, health)
	}
	if c.Upstream.String() != "a:1" || c.Policy != RoundRobin {
		t.Errorf("upstream %s, policy %s", c.Upstream, c.Policy)
	}
	if err := parse(map[string]string{"BALANCE": "best"}); err == nil || !strings.Contains(err.Error(), "write least-requests, round-robin or fastest") {
		t.Errorf("unknown policy: %v", err)
	}
}

func TestWrongHealthIsNamed(t *testing.T) {
	h := Health{CheckTimeout: -1, CheckUp: -1, CheckDown: -1, EjectAfter: 1, EjectMax: -1, EjectShare: 2}
	_, err := New(Options{Address: mustParse(t, "dns:a:1"), Intervals: Intervals{CheckInterval: -1}, Health: h})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"no name", "RESOLVE_INTERVAL", "CHECK_INTERVAL", "CHECK_TIMEOUT", "CHECK_UP", "CHECK_DOWN", "EJECT_BASE", "EJECT_MAX", "EJECT_SHARE: 2"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s: %v", want, err)
		}
	}
}

func TestEndpointFile(t *testing.T) {
	good := "# the fleet\n\n  d-1 127.0.0.1:80 127.0.0.1:90 # first\r\nd-2\t[::1]:80\n"
	got, err := ParseFile([]byte(good))
	want := []Member{{"d-1", "127.0.0.1:80", "127.0.0.1:90"}, {"d-2", "[::1]:80", ""}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for content, want := range map[string]string{
		"":                          "no endpoint",
		"# nothing\n\n":             "no endpoint",
		"a:1":                       "line 1: 1 fields",
		"\nn a:1 a:2 a:3":           "line 2: 4 fields",
		"n a:1\nn b:1":              `name "n" is there twice`,
		"n a:1\nm a:1":              `address "a:1" is there twice`,
		"b:1 a:1\nx b:1\nb:1 c:1":   `name "b:1" is there twice`,
		"n a:1 admin":               `line 1: "admin": missing port`,
		"n http://a:1":              "line 1",
		"n\x01 a:1":                 "printable ASCII",
		"é a:1":                     "printable ASCII",
		"n x\nm y\no z":             "line 3",
		"\x00\xff\xfe garbage \x80": "line 1",
		strings.Repeat("x\n", 99):   "line 10: 1 fields, want: name data-addr [admin-addr]\nand maybe more",
	} {
		if _, err := ParseFile([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: error %v does not say %q", content, err, want)
		}
	}
}

func TestTooManyEndpointsAreRefused(t *testing.T) {
	var list []string
	for i := range MaxMembers + 1 {
		list = append(list, "a:"+strconv.Itoa(i+1))
	}
	if _, err := Parse(strings.Join(list, ",")); err == nil || !strings.Contains(err.Error(), "at most 1024") {
		t.Errorf("list: %v", err)
	}
}

// An address that was taken can be written and read again, and makes a pool.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a:1", "a:1/2,b:3", "dns:a:1/2", "file:x", "[::1]:1", "a:1,a:1", "%", "dns:[::1%eth0]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			if !strings.HasSuffix(err.Error(), forms) {
				t.Fatalf("error does not end with the forms: %v", err)
			}
			return
		}
		again, err := Parse(a.String())
		if err != nil || !slices.Equal(a.static, again.static) {
			t.Fatalf("%q reads back as %v, %v", a, again.static, err)
		}
		newPool(t, Options{Address: a, Intervals: fast})
	})
}

func FuzzParseFile(f *testing.F) {
	for _, s := range []string{"n a:1 a:2", "n a:1\nm b:1 # x", "\xff", "n a:1\nn a:1", "a:1 b:1\nb:1 a:1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		members, err := ParseFile(content)
		if err != nil {
			return
		}
		if len(members) == 0 {
			t.Fatal("no endpoint and no error")
		}
		p := static(t, Options{}, "placeholder:1")
		p.become(members, nil) // must not panic: members are distinct
		if p.ring.Len() != len(members) {
			t.Fatal("members missing on the ring")
		}
	})
}
