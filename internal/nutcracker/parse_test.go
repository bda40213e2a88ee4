package nutcracker

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestEveryMistakeIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`
alpha:
  listen: 127.0.0.1
  hash: fnv1a-64
  hash_tag: "{"
  distribution: ketam
  timeout: 400ms
  auto_eject_host: true
  redis: yes
  redis_auth: ""
  server_connections: 0
  server_retry_timeout: -1
  servers:
   - one:6379
   - two:6379:0
   - /run/redis.sock:1
   - three:0:1
   - [a, b]
beta:
  listen: 127.0.0.1:6379
  listen: 127.0.0.1:6380
  redis_auth: secret
  servers:
   - a:1:1 same
   - b:1:1 same
gamma:
  listen: 127.0.0.1:6379
  servers: none
delta: 7
`))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"line 3: pool alpha: listen: want host:port",
		`line 4: pool alpha: hash: "fnv1a-64" is not known: did you mean fnv1a_64?`,
		`line 5: pool alpha: hash_tag: "{" is not valid: want two characters`,
		`line 6: pool alpha: distribution: "ketam" is not known: did you mean ketama?`,
		`line 7: pool alpha: timeout: "400ms" is not valid: want a number`,
		"line 8: pool alpha: auto_eject_host is no setting: did you mean auto_eject_hosts?",
		`line 9: pool alpha: redis: "yes" is not valid: want true or false`,
		"line 10: pool alpha: redis_auth: is empty",
		`line 11: pool alpha: server_connections: "0" is not valid: want a number from 1`,
		`line 12: pool alpha: server_retry_timeout: "-1" is not valid`,
		`line 14: pool alpha: servers: "one:6379": want host:port:weight`,
		`line 15: pool alpha: servers: "two:6379:0": weight "0": want a number from 1`,
		`line 16: pool alpha: servers: "/run/redis.sock:1": unix sockets are not supported: give host:port`,
		`line 17: pool alpha: servers: "three:0:1": port "0"`,
		"line 18: pool alpha: servers: want host:port:weight",
		"line 21: pool beta: listen is there twice",
		"line 19: pool beta: redis_auth: is for pools with redis: true",
		`pool beta: servers: two of them are called "same"`,
		"line 26: pool gamma: listen: 127.0.0.1:6379 is the address of pool beta too",
		"line 28: pool gamma: servers: want a list",
		"line 29: pool delta: want settings below its name",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestWhatIsNoConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                "the file has no pool",
		"- a\n- b\n":      "want pools",
		"{}":              "want pools",
		"a:\n\tlisten: x": "line 2",
		"a: &x\n  listen: h:1\n  servers:\n   - h:1:1\nb: *x\n":           "pool b: want settings",
		"a:\n  servers: [h:1:1]\n":                                        "pool a: listen is missing",
		"a:\n  listen: h:1\n":                                             "pool a: servers is missing",
		"a:\n  listen: /run/x.sock 0660\n  servers: [h:1:1]\n":            "unix sockets are not supported",
		"a:\n  listen: h:1\n  servers: [h:1:1]\n---\nb: 1\n":              "second document",
		"a:\n  listen: h:1\n  colour: red\n  servers: [h:1:1]\n":          "colour is no setting: known are auto_eject_hosts, backlog",
		"a:\n  listen: h:1\n  hash: sha512\n  servers: [h:1:1]\n":         `"sha512" is not known: want one of crc16`,
		"a:\n  listen: h:1\n  timeout: [1]\n  servers: [h:1:1]\n":         "timeout: want a single value",
		"a:\n  listen: h:70000\n  servers: [h:1:1]\n":                     `port "70000"`,
		"a:\n  listen: h:1\n  timeout: 99999999999\n  servers: [h:1:1]\n": "timeout",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %q, got %v", text, want, err)
		}
	}
}

func parseFile(t testing.TB, name string) []Pool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	pools, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return pools
}

func TestTheFilesOfTheBookAreRead(t *testing.T) {
	t.Parallel()
	redis := Pool{
		Name: "redis", Listen: "127.0.0.1:6379", Hash: "fnv1a_64", Distribution: "ketama", Redis: true, Timeout: 400 * time.Millisecond,
		ServerConnections: 1, AutoEject: true, RetryTimeout: 2 * time.Second, FailureLimit: 1,
		Servers: []Server{
			{"sharded-redis-0.redis:6379", "sharded-redis-0.redis:6379", 1},
			{"sharded-redis-1.redis:6379", "sharded-redis-1.redis:6379", 1},
			{"sharded-redis-2.redis:6379", "sharded-redis-2.redis:6379", 1},
		},
	}
	memcache := redis
	memcache.Name, memcache.Listen, memcache.Redis = "memcache", "0.0.0.0:11211", false
	memcache.Servers = []Server{
		{"memcache-0.memcache", "memcache-0.memcache:11211", 1},
		{"memcache-1.memcache", "memcache-1.memcache:11211", 1},
		{"memcache-2.memcache", "memcache-2.memcache:11211", 1},
	}
	sessions := Pool{
		Name: "sessions", Listen: "0.0.0.0:6379", Hash: "murmur", HashTag: "{}", Distribution: "ketama", Redis: true, RedisAuth: "sesame", RedisDB: 2,
		Timeout: 400 * time.Millisecond, Preconnect: true, ServerConnections: 2, RetryTimeout: 30 * time.Second, FailureLimit: 2,
		Servers: []Server{
			{"server0", "redis-shard-0.redis:6379", 1},
			{"server1", "redis-shard-1.redis:6379", 1},
			{"server2", "redis-shard-2.redis:6379", 2},
		},
	}
	for name, want := range map[string][]Pool{"redis.yaml": {redis}, "memcache.yaml": {memcache}, "router.yaml": {memcache, sessions}} {
		if got := parseFile(t, name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

func TestServersAreNumberedAsTwemproxyDoes(t *testing.T) {
	t.Parallel()
	pools, err := Parse([]byte("a:\n  listen: h:1\n  backlog: 9\n  reuseport: true\n  servers:\n   - x:1:1 server10\n   - y:11211:1\n   - ::1:6379:3 server2\n   - z:11211:1 server1\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Server{{"y", "y:11211", 1}, {"server1", "z:11211", 1}, {"server2", "[::1]:6379", 3}, {"server10", "x:1", 1}}
	if !reflect.DeepEqual(pools[0].Servers, want) {
		t.Errorf("got %v, want %v", pools[0].Servers, want)
	}
	if !reflect.DeepEqual(pools[0].Ignored, []string{"backlog", "reuseport"}) {
		t.Errorf("ignored are %v", pools[0].Ignored)
	}
}

func TestServersOfOneLine(t *testing.T) {
	t.Parallel()
	got, err := ParseServers("b:6379, a:6379:2 first,[::1]:6379 second")
	want := []Server{{"first", "a:6379", 2}, {"b:6379", "b:6379", 1}, {"second", "[::1]:6379", 1}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for text, want := range map[string]string{"": "want host:port", "a:1,a:1": `two servers are called "a:1"`, "a:b": `port "b"`, "a:1,/x": "unix sockets"} {
		if _, err := ParseServers(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %q, got %v", text, want, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"redis.yaml", "memcache.yaml", "router.yaml"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		pools, err := Parse(text)
		if err != nil {
			return
		}
		for _, p := range pools {
			if p.Name == "" || p.Listen == "" || len(p.Servers) == 0 {
				t.Fatalf("accepted without what it needs: %+v", p)
			}
			placement, err := NewPlacement(p, nil, Hooks{})
			if err != nil {
				t.Fatalf("accepted, but: %v", err)
			}
			if i := placement.Pick([]byte("key")); i < 0 || i >= len(p.Servers) {
				t.Fatalf("picked %d of %d servers", i, len(p.Servers))
			}
		}
	})
}
