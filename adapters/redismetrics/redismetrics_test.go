package redismetrics_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/flotilla-dev/flotilla/adapters/redismetrics"
	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func TestARedisThatIsDownIsAMetricAndNoError(t *testing.T) {
	ln := listen(t)
	addr := ln.Addr().String()
	url := start(t, map[string]string{"REDISMETRICS_ADDR": addr})
	ln.Close()
	families := scrape(t, url+"/metrics")
	want(t, families, 0, "redis_up")
	want(t, families, 1, "redis_exporter_last_scrape_error", "err=unreachable")
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln, recorded(t))
	families = scrape(t, url+"/metrics")
	want(t, families, 1, "redis_up")
	want(t, families, 0, "redis_exporter_last_scrape_error", "err=")
	want(t, families, 2, "redis_exporter_scrapes_total")
}

func TestARedisThatDoesNotAnswerBoundsTheScrape(t *testing.T) {
	for name, answer := range map[string]func([]string) string{
		"hangs":     func([]string) string { return "" },
		"goes away": func([]string) string { return "-" },
		"babbles":   func([]string) string { return "HTTP/1.1 400 Bad Request\r\n\r\n" },
		"promises":  func([]string) string { return "$1000000\r\nand gives less" },
		"boasts":    func([]string) string { return "*99999999999999\r\n" },
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, listen(t), answer)
			url := start(t, map[string]string{"REDISMETRICS_ADDR": f.addr, "REDISMETRICS_TIMEOUT": "300ms"})
			within(t, 1500*time.Millisecond, func() {
				families := scrape(t, url+"/metrics")
				want(t, families, 0, "redis_up")
				want(t, families, 1, "redis_exporter_last_scrape_error")
			})
		})
	}
}

// Each answer comes at once, and there is always one more to ask for.
func TestASearchForKeysThatDoesNotEndBoundsTheScrape(t *testing.T) {
	f := serve(t, listen(t), func(command []string) string {
		if strings.EqualFold(command[0], "SCAN") {
			return array(bulk("7"), array(bulk("a key")))
		}
		return recorded(t)(command)
	})
	url := start(t, map[string]string{"REDISMETRICS_ADDR": f.addr, "REDISMETRICS_TIMEOUT": "300ms", "REDISMETRICS_COUNT_KEYS": "db0=*"})
	within(t, 5*time.Second, func() {
		families := scrape(t, url+"/metrics")
		want(t, families, 1, "redis_up")
		want(t, families, 1, "redis_exporter_last_scrape_error", "err=timeout")
	})
}

// Two clients of one host differ by their ports, which no label has. A label set that is
// there twice would make the whole scrape fail.
func TestClientsThatLookAlikeAreShownOnce(t *testing.T) {
	f := serve(t, listen(t), func(command []string) string {
		if strings.EqualFold(command[0], "CLIENT") {
			const of = " name=shop age=1 idle=0 flags=N db=0 omem=0 cmd=get\n"
			return bulk("id=1 addr=127.0.0.1:10001" + of + "id=2 addr=127.0.0.1:10002" + of)
		}
		return recorded(t)(command)
	})
	status, text := get(t, start(t, map[string]string{"REDISMETRICS_ADDR": f.addr, "REDISMETRICS_CLIENT_LIST": "on"})+"/metrics")
	if n := strings.Count(text, "redis_connected_clients_details{"); status != http.StatusOK || n != 1 {
		t.Errorf("status %d, %d clients are shown, want 1", status, n)
	}
}

func TestOnlySoManyClientsAreShown(t *testing.T) {
	var clients strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&clients, "id=%d addr=127.0.0.1:%d name=client-%d age=1 idle=0 flags=N db=0 omem=0 cmd=get\n", i, 10_000+i, i)
	}
	f := serve(t, listen(t), func(command []string) string {
		if strings.EqualFold(command[0], "CLIENT") {
			return bulk(clients.String())
		}
		return recorded(t)(command)
	})
	_, text := get(t, start(t, map[string]string{"REDISMETRICS_ADDR": f.addr, "REDISMETRICS_CLIENT_LIST": "on"})+"/metrics")
	if n := strings.Count(text, "redis_connected_clients_details{"); n != 1000 {
		t.Errorf("%d clients are shown, want 1000", n)
	}
}

func TestPrometheusSaysHowLongItWaits(t *testing.T) {
	f := serve(t, listen(t), func([]string) string { return "" })
	url := start(t, map[string]string{"REDISMETRICS_ADDR": f.addr, "REDISMETRICS_TIMEOUT": "30s"})
	within(t, 2*time.Second, func() {
		families := scrape(t, url+"/metrics", "X-Prometheus-Scrape-Timeout-Seconds", "0.5")
		want(t, families, 1, "redis_exporter_last_scrape_error", "err=timeout")
	})
}

// Scrapes of a Redis that hangs are not collected without end: those beyond eight wait for a turn as long as their callers do,
// and ask nothing.
func TestOnlySoManyScrapesAreUnderWay(t *testing.T) {
	held := make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	defer release()
	good := recorded(t)
	f := serve(t, listen(t), func(command []string) string {
		<-held
		return good(command)
	})
	url := start(t, map[string]string{"REDISMETRICS_ADDR": f.addr, "REDISMETRICS_TIMEOUT": "2m"}) + "/metrics"
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if status, _ := get(t, url); status != http.StatusOK {
				t.Errorf("a scrape that had a turn got status %d", status)
			}
		})
	}
	await.That(t, "eight scrapes ask", func() bool { return f.peak() == 8 })
	for range 5 {
		if status, _ := get(t, url, "X-Prometheus-Scrape-Timeout-Seconds", "0.1"); status != http.StatusServiceUnavailable {
			t.Errorf("a ninth scrape got status %d, want 503", status)
		}
	}
	if most := f.peak(); most != 8 {
		t.Errorf("%d connections at a time, want 8", most)
	}
	release()
	all.Wait()
}

func TestCredentialsAreSentAndTheirRefusalIsTold(t *testing.T) {
	good := recorded(t)
	f := serve(t, listen(t), func() func([]string) string {
		authenticated := false
		return func(command []string) string {
			switch {
			case strings.EqualFold(command[0], "HELLO"):
				authenticated = slices.Contains(command, "s3cret")
				if slices.Contains(command, "AUTH") && !authenticated {
					return "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
				}
				return array(bulk("server"), bulk("redis"), bulk("proto"), whole(2))
			case strings.EqualFold(command[0], "AUTH"):
				if authenticated = slices.Contains(command, "s3cret"); !authenticated {
					return "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
				}
				return "+OK\r\n"
			case !authenticated:
				return "-NOAUTH Authentication required.\r\n"
			}
			return good(command)
		}
	}())
	file := write(t, "password", "s3cret\n")
	url := start(t, map[string]string{"REDISMETRICS_ADDR": "redis://" + f.addr, "REDISMETRICS_USER": "metrics", "REDISMETRICS_PASSWORD_FILE": file})
	want(t, scrape(t, url+"/metrics"), 1, "redis_up")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil { // read again at each scrape
		t.Fatal(err)
	}
	families := scrape(t, url+"/metrics")
	want(t, families, 0, "redis_up")
	want(t, families, 1, "redis_exporter_last_scrape_error", "err=authentication")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	want(t, scrape(t, url+"/metrics"), 1, "redis_exporter_last_scrape_error", "err=credentials unreadable")
}

func TestWhatAServerDoesNotKnowIsAbsent(t *testing.T) {
	store, err := miniredis.Run()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	url := start(t, map[string]string{"REDISMETRICS_ADDR": store.Addr(), "REDISMETRICS_CLIENT_LIST": "on", "REDISMETRICS_CONFIG_VALUES": "on"})
	families := scrape(t, url+"/metrics")
	want(t, families, 1, "redis_up")
	want(t, families, 0, "redis_exporter_last_scrape_error", "err=")
	for _, name := range []string{"redis_slowlog_length", "redis_config_maxmemory", "redis_latency_spike_last", "redis_connected_clients_details", "redis_db_keys"} {
		if families[name] != nil {
			t.Errorf("%s is there", name)
		}
	}
}

func TestPermissionIsToldApartFromAuthentication(t *testing.T) {
	f := serve(t, listen(t), func([]string) string { return "-NOPERM this user has no permissions\r\n" })
	url := start(t, map[string]string{"REDISMETRICS_ADDR": f.addr})
	want(t, scrape(t, url+"/metrics"), 1, "redis_exporter_last_scrape_error", "err=permission")
}

// A stranger must not choose where this program connects to.
func TestOnlyAllowedTargetsAreAsked(t *testing.T) {
	f := serve(t, listen(t), recorded(t))
	_, port, _ := net.SplitHostPort(f.addr)
	url := start(t, map[string]string{"REDISMETRICS_ADDR": "127.0.0.1:1", "REDISMETRICS_ALLOWED_TARGETS": "127.0.0.?:" + port + ", redis-*:6379"})
	want(t, scrape(t, url+"/scrape?target=redis://"+f.addr), 1, "redis_up")
	want(t, scrape(t, url+"/scrape?target="+f.addr), 1, "redis_up")
	for query, wanted := range map[string]string{
		"":                                     "target-invalid",
		"?target=":                             "target-invalid",
		"?target=http://127.0.0.1:80/":         "target-invalid",
		"?target=redis://ann:s3cret@" + f.addr: "target-invalid",
		"?target=redis://" + f.addr + "/3":     "target-invalid",
		"?target=127.0.0.1:0":                  "target-invalid",
		"?target=127.0.0.1:99999":              "target-invalid",
		"?target=169.254.169.254:80":           "target-not-allowed",
		"?target=127.0.0.10:" + port:           "target-not-allowed",
		"?target=redis-1.evil.example:6379":    "target-not-allowed",
		"?target=redis-1:6380":                 "target-not-allowed",
		"?target=" + f.addr + "&check-keys=*":  "bad-request",
	} {
		status, body := get(t, url+"/scrape"+query)
		if status == 200 || !strings.Contains(body, "#"+wanted) || strings.Contains(body, "s3cret") {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	want(t, scrape(t, url+"/metrics"), 12, "redis_target_scrape_request_errors_total")
	without := start(t, map[string]string{"REDISMETRICS_ADDR": f.addr})
	if status, body := get(t, without+"/scrape?target="+f.addr); status != 403 {
		t.Errorf("without a list: %d %s", status, body)
	}
}

func TestValuesAreThoseOfTheServer(t *testing.T) {
	f := serve(t, listen(t), recorded(t))
	families := scrape(t, start(t, map[string]string{"REDISMETRICS_ADDR": f.addr})+"/metrics")
	want(t, families, 1, "redis_instance_info", "redis_version=7.0.15", "role=master", "maxmemory_policy=noeviction")
	want(t, families, 104857600, "redis_config_maxmemory")
	want(t, families, 0, "redis_db_keys", "db=db15")
	want(t, families, 8, "redis_db_keys", "db=db0")
	want(t, families, 1, "redis_commands_total", "cmd=xgroup|create")
	want(t, families, 1, "redis_errors_total", "err=WRONGTYPE")
	want(t, families, 88, "redis_slowlog_last_id")
	want(t, families, 0.020203, "redis_last_slow_execution_duration_seconds")
	want(t, families, 0.02, "redis_latency_spike_duration_seconds", "event_name=command")
	want(t, families, 1, "redis_rdb_last_bgsave_status")
	if q := families["redis_latency_percentiles_usec"].GetMetric()[0].GetSummary().GetQuantile(); len(q) != 3 || q[0].GetQuantile() != 50 {
		t.Errorf("%v", q)
	}
	if b := families["redis_commands_latencies_usec"].GetMetric()[0].GetHistogram(); b.GetSampleCount() != 8 || b.GetBucket()[0].GetCumulativeCount() != 5 {
		t.Errorf("%v", b)
	}
}

// The golden list is what redis_exporter shows of the same server; the test
// against the real one keeps it true.
func TestFamiliesAreThoseOfTheGoldenList(t *testing.T) {
	f := serve(t, listen(t), recorded(t))
	got := shapes(scrape(t, start(t, map[string]string{"REDISMETRICS_ADDR": f.addr})+"/metrics"))
	for _, line := range golden(t, "families.txt") {
		if !slices.Contains(got, line) {
			t.Errorf("%s is missing", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(golden(t, "families.txt"), line) && !slices.Contains(ours(), line) {
			t.Errorf("%s is in no list", line)
		}
	}
}

// ours are families that redis_exporter has in other versions, or on demand.
func ours() []string {
	return []string{"redis_commands_latencies_usec histogram cmd", "redis_total_system_memory_bytes gauge"}
}

// A server that repeats itself or sends no text must not spoil the scrape.
func TestOddAnswersDoNotSpoilTheScrape(t *testing.T) {
	odd := "redis_version:7\r\ncmdstat_get:calls=1\r\ncmdstat_get:calls=2\r\nerrorstat_\xff\xfe:count=1\r\ndb0:keys=x\r\nslave0:ip=,port=\r\nslave1:ip=a,port=b,state=c,offset=z\r\n" +
		"latency_percentiles_usec_get:p50=,pX=1,p99=2\r\nused_memory:lots\r\nmaxmemory:NaN\r\nconnected_clients:1e999\r\nuptime_in_seconds:-5\r\n"
	f := serve(t, listen(t), func(command []string) string {
		switch strings.ToUpper(command[0]) {
		case "INFO":
			return bulk(odd)
		case "SLOWLOG", "LATENCY":
			return array(array(), bulk("x"), array(bulk("y")), whole(-1))
		case "CONFIG":
			return array(bulk(command[2]))
		case "HELLO":
			return "-ERR unknown command 'HELLO'\r\n"
		}
		return "+OK\r\n"
	})
	families := scrape(t, start(t, map[string]string{"REDISMETRICS_ADDR": f.addr})+"/metrics")
	want(t, families, 1, "redis_up")
	want(t, families, 1, "redis_commands_total", "cmd=get")
	want(t, families, 1, "redis_errors_total", "err=\ufffd")
}

func TestWrongConfigurationNamesEveryMistake(t *testing.T) {
	for _, env := range []map[string]string{
		{"REDISMETRICS_ADDR": "redis://ann:s3cret@host:6379"}, {"REDISMETRICS_ALLOWED_TARGETS": "redis"}, {"REDISMETRICS_CHECK_KEYS": "dbx=a"},
		{"REDISMETRICS_COUNT_KEYS": "db1="}, {"REDISMETRICS_CHECK_SINGLE_KEYS": strings.Repeat("a,", 101)}, {"REDISMETRICS_TIMEOUT": "0s", "REDISMETRICS_MAX_KEYS": "0", "REDISMETRICS_USER": "ann", "REDISMETRICS_CERT_FILE": "/x"},
		{"REDISMETRICS_CA_FILE": "/x"},
	} {
		cfg, err := process.Parse[redismetrics.Config](redismetrics.Program, env)
		if err == nil {
			err = redismetrics.Run(t.Context(), cfg)
		}
		if err == nil {
			t.Errorf("%v is accepted", env)
			continue
		}
		for name := range env {
			if !strings.Contains(err.Error(), name) && name != "REDISMETRICS_CA_FILE" {
				t.Errorf("%s is missing in %v", name, err)
			}
		}
	}
}

func TestTargetsAreMatchedByHostAndPort(t *testing.T) {
	var a redismetrics.Allowed
	if err := a.UnmarshalText([]byte("redis-*:6379,[::1]:*,*.redis.svc:6379")); err != nil {
		t.Fatal(err)
	}
	for addr, allowed := range map[string]bool{"redis-1:6379": true, "redis-1:6380": false, "redis-1.example.com:6379": false, "[::1]:1": true, "[::2]:1": false,
		"a.redis.svc:6379": true, "a.b.redis.svc:6379": false, "redis-1": false, "evil:6379": false} {
		if a.Allow(addr) != allowed {
			t.Errorf("%s: %v", addr, !allowed)
		}
	}
}
