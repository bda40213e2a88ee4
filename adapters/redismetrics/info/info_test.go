package info_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/adapters/redismetrics/info"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const answer = "# Server\r\nredis_version:7.0.15\r\nexecutable:/usr/bin/a:b\r\n\r\n# Memory\r\nused_memory:1299288\r\nused_memory_peak_perc:99.5%\r\n" +
	"# Persistence\r\nrdb_last_bgsave_status:ok\r\naof_last_write_status:err\r\n# Replication\r\nslave_priority:100\r\nslave_read_only:1\r\n" +
	"slave0:ip=127.0.0.1,port=6380,state=online,offset=823,lag=1\r\n# Commandstats\r\ncmdstat_config|get:calls=8,usec=14,usec_per_call=1.75,rejected_calls=0,failed_calls=1\r\n" +
	"# Errorstats\r\nerrorstat_ERR:count=1\r\n# Latencystats\r\nlatency_percentiles_usec_get:p50=1.003,p99=8.031,p99.9=8.031\r\n# Keyspace\r\ndb0:keys=8,expires=5,avg_ttl=999948\r\n"

func TestFieldsAndGroupsAreTold(t *testing.T) {
	i := info.Parse(answer)
	for name, want := range map[string]float64{"used_memory": 1299288, "used_memory_peak_perc": 99.5, "rdb_last_bgsave_status": 1, "aof_last_write_status": 0, "slave_priority": 100, "slave_read_only": 1} {
		if got, ok := i.Number(name); !ok || got != want {
			t.Errorf("%s: %v %v", name, got, ok)
		}
	}
	if i.Text("executable") != "/usr/bin/a:b" || i.Has("none") {
		t.Error(i.Text("executable"))
	}
	if _, ok := i.Number("redis_version"); ok {
		t.Error("a version is a number")
	}
	for kind, want := range map[string][3]string{info.Replicas: {"0", "port", "6380"}, info.Commands: {"config|get", "failed_calls", "1"}, info.Errors: {"ERR", "count", "1"}, info.Latencies: {"get", "p99.9", "8.031"}, info.Databases: {"0", "avg_ttl", "999948"}} {
		groups := i.Groups(kind)
		if len(groups) != 1 || groups[0].Name != want[0] || groups[0].Get(want[1]) != want[2] {
			t.Errorf("%s: %+v", kind, groups)
		}
	}
}

func TestGroupsAreBounded(t *testing.T) {
	i := info.Parse(strings.Repeat("cmdstat_x:calls=1\n", 2*info.Most))
	if n := len(i.Groups(info.Commands)); n != info.Most {
		t.Errorf("%d groups", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(answer)
	f.Add(":\n#\n:=\ndb:=\nslave99999999999:a=b\ncmdstat_:=\n=,=,\n")
	f.Fuzz(func(t *testing.T, text string) {
		i := info.Parse(text)
		for _, kind := range []string{info.Commands, info.Errors, info.Latencies, info.Replicas, info.Databases} {
			for _, g := range i.Groups(kind) {
				if g.Name == "" || !strings.Contains(text, kind+g.Name) {
					t.Fatalf("group %q of %q", g.Name, text)
				}
				g.Each(func(key, value string) {
					if !strings.Contains(text, key+"="+value) {
						t.Fatalf("pair %q=%q of %q", key, value, text)
					}
				})
				g.Number("calls")
			}
		}
	})
}
