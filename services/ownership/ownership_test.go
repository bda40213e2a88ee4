package ownership

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/cable"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

const shards = 4 // the default

func TestAnEntryIsRecordedOnceWhoeverIsAsked(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, map[string]string{"OWNERSHIP_WAIT": "10s"})
	a := f.replica("a", nil)
	a.owns(shards)
	b := f.replica("b", nil)
	first := a.post("e1", "alice", 5)
	if first.Balance != 5 || first.Version != 1 || first.Owner != "a" || first.Token == 0 || first.Sequence != 1 {
		t.Errorf("%+v", first)
	}
	var again Entry
	b.want(200, "", "POST", "/v1/entries", entry("e1", "alice", 5), &again)
	if !again.Replayed || again.Balance != 5 || again.Token != first.Token {
		t.Errorf("%+v", again)
	}
	if e := b.post("e2", "alice", 7); e.Balance != 12 || e.Owner != "a" || e.Version != 2 {
		t.Errorf("%+v", e)
	}
	b.want(422, "entry-id-reused", "POST", "/v1/entries", entry("e1", "alice", 6), nil)
	if acc := b.balance("alice"); acc.Balance != 12 || acc.Version != 2 || acc.Owner != "a" || acc.Token != first.Token {
		t.Errorf("%+v", acc)
	}
	var all []Entry
	b.want(200, "", "GET", "/v1/accounts/alice/entries?limit=1", "", &all)
	if len(all) != 1 || all[0].ID != "e2" || all[0].Owner != "a" {
		t.Errorf("%+v", all)
	}
	if acc := a.balance("nobody"); acc.Balance != 0 || acc.Version != 0 || acc.Account.Account != "nobody" {
		t.Errorf("%+v", acc)
	}
}

func TestConditionsAreHeldAndAReplayIsNoViolationOfThem(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, map[string]string{"OWNERSHIP_WAIT": "10s"})
	a := f.replica("a", nil)
	a.post("e1", "alice", 5)
	a.want(422, "balance-insufficient", "POST", "/v1/entries", entry("e2", "alice", -6), nil)
	all := entry("e3", "alice", -5)
	a.want(201, "", "POST", "/v1/entries", all, nil)
	a.want(200, "", "POST", "/v1/entries", all, nil) // although nothing is left to be taken
	one := `{"id":"e4","account":"alice","amount":1,"if_version":2}`
	a.want(201, "", "POST", "/v1/entries", one, nil)
	a.want(200, "", "POST", "/v1/entries", one, nil) // although the version is another one
	if text := a.want(412, "account-changed", "POST", "/v1/entries", strings.Replace(one, "e4", "e5", 1), nil); !strings.Contains(text, `"version":3`) {
		t.Error(text)
	}
	a.want(201, "", "POST", "/v1/entries", `{"id":"n1","account":"new","amount":1,"if_version":0}`, nil)
	a.want(412, "account-changed", "POST", "/v1/entries", `{"id":"n2","account":"new","amount":1,"if_version":0}`, nil)
	for range 9 { // 9 × 10^12 × 1000 would be the bound; one entry after another is far from it
		a.want(400, "entry-invalid", "POST", "/v1/entries", entry("big", "alice", 1_000_000_000_001), nil)
	}
	for _, body := range []string{"", "{}", "[]", entry("a", "b", 0), entry("a/b", "c", 1), entry("a", "../c", 1), `{"id":"a","account":"b","amount":1,"more":1}`, entry("a", "b", 1) + "{}", entry("a", strings.Repeat("b", 65), 1)} {
		a.want(400, "entry-invalid", "POST", "/v1/entries", body, nil)
	}
	a.want(400, "account-invalid", "GET", "/v1/accounts/%2f", "", nil)
	a.want(400, "account-invalid", "GET", "/v1/accounts/%2f/entries", "", nil)
	a.want(400, "limit-invalid", "GET", "/v1/accounts/alice/entries?limit=1001", "", nil)
	a.want(404, "shard-not-found", "POST", "/v1/shards/4/resign", "", nil)
}

func TestAShardIsHandedOverWithoutALossAndItsOwnerOfBeforeListens(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, map[string]string{"OWNERSHIP_WAIT": "10s"})
	a := f.replica("a", nil)
	a.owns(shards)
	b := f.replica("b", nil)
	before := a.post("e1", "alice", 5)
	b.knows("a")
	a.running.Cancel() // as SIGTERM does
	b.owns(shards)
	after := b.post("e2", "alice", 7)
	if after.Balance != 12 || after.Token <= before.Token || after.Owner != "b" {
		t.Errorf("%+v after %+v", after, before)
	}
	if err := a.running.Wait(); err != nil {
		t.Fatal(err)
	}
	ended := 0
	for _, term := range b.terms() {
		if term.Owner == "a" && term.Ended == "resigned" && term.To != nil {
			ended++
		}
	}
	if ended != shards {
		t.Errorf("%+v", b.terms())
	}
	again := f.replica("a", nil)
	if e := again.post("e3", "alice", 1); e.Owner != "b" || e.Balance != 13 || e.Token != after.Token {
		t.Errorf("who comes back has taken it over: %+v", e)
	}
}

func TestClientsSeeNoErrorWhileShardsAreHandedOver(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, map[string]string{"OWNERSHIP_WAIT": "10s"})
	a := f.replica("a", nil)
	a.owns(shards)
	b := f.replica("b", nil)
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for c := range 4 {
		clients.Go(func() {
			account := fmt.Sprint("acc", c)
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				r := []*replica{a, b}[n%2]
				var e Entry
				if status, text, err := r.do("POST", "/v1/entries", entry(fmt.Sprint("e", n), account, 1), &e); err != nil || status != 201 || e.Balance != int64(n) {
					t.Errorf("entry %d of %s by %s: %d %s, %v", n, account, r.name, status, text, err)
					return
				}
			}
		})
	}
	for round := range 6 {
		for shard := range shards {
			owner := []*replica{a, b}
			for _, r := range owner { // whoever has it
				_, _, _ = r.do("POST", fmt.Sprintf("/v1/shards/%d/resign", shard), "", nil)
			}
		}
		await.That(t, fmt.Sprint("all shards are owned, round ", round), func() bool {
			o, err := a.owners()
			for _, s := range o.Shards {
				if s.Owner == "" {
					return false
				}
			}
			return err == nil
		})
	}
	close(stop)
	clients.Wait()
}

func TestAKilledOwnerIsSucceededAfterItsTTL(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, short)
	a := f.process("a")
	a.owns(shards)
	b := f.replica("b", nil)
	before := a.post("e1", "alice", 5)
	b.knows("a")
	began := time.Now()
	a.signal(syscall.SIGKILL)
	after := b.post("e2", "alice", 7)
	t.Logf("failover after kill -9: %v with a TTL of 6s", time.Since(began).Round(time.Millisecond))
	if after.Balance != 12 || after.Token <= before.Token || after.Owner != "b" {
		t.Errorf("%+v after %+v", after, before)
	}
	b.owns(shards)
	if !slices.ContainsFunc(b.terms(), func(term Term) bool { return term.Owner == "a" && term.Ended == "expired" }) {
		t.Errorf("%+v", b.terms())
	}
}

func TestAnOwnerThatWasStoppedWakesAsNoOwner(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, short)
	a := f.process("a")
	a.owns(shards)
	b := f.replica("b", nil)
	a.post("e1", "alice", 5)
	a.pause()
	b.owns(shards)
	b.post("e2", "alice", 7)
	a.signal(syscall.SIGCONT)
	after := a.post("e3", "alice", 1) // forwarded
	if after.Owner != "b" || after.Balance != 13 {
		t.Errorf("%+v", after)
	}
	await.That(t, "the former owner knows why", func() bool {
		for _, term := range a.terms() {
			if term.Owner == "a" && term.Ended != "unconfirmed" && term.Ended != "lost" {
				return false
			}
		}
		return true
	})
	if o, err := a.owners(); err != nil || o.Shards[0].Held {
		t.Errorf("%+v, %v", o, err)
	}
}

// zombie is the schedule that a lease alone does not survive: the owner has looked at its
// lease, stands still for longer than its TTL, and goes on with what it was about to do.
func zombie(t *testing.T, f *fleet) (late int, text string, b *replica) {
	a := f.replica("a", map[string]string{"OWNERSHIP_LESSON": "pause"})
	a.owns(shards)
	b = f.replica("b", nil)
	a.post("e1", "alice", 5)
	done := make(chan struct{})
	go func() {
		defer close(done)
		late, text, _ = a.do("POST", "/v1/entries", entry("late", "alice", 100), nil, pauseHeader, "2m")
	}()
	b.owns(shards)
	if e := b.post("e2", "alice", 7); e.Balance != 12 || e.Owner != "b" {
		t.Errorf("%+v", e)
	}
	a.want(204, "", "POST", "/v1/lesson/resume", "", nil)
	<-done
	return late, text, b
}

func TestAZombieIsRefusedByTheFence(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, short)
	late, text, b := zombie(t, f)
	if late != http.StatusServiceUnavailable || !strings.Contains(text, "no-owner") {
		t.Errorf("%d %s", late, text)
	}
	if a := b.balance("alice"); a.Balance != 12 || a.Version != 2 {
		t.Errorf("%+v", a)
	}
	if e := b.post("late", "alice", 100); e.Replayed || e.Balance != 112 {
		t.Errorf("the entry that was refused is sent again: %+v", e)
	}
	stale := 0
	for _, l := range f.ledgers {
		if _, metrics := processtest.Get(t, "http://"+l.Admin+"/metrics"); strings.Contains(metrics, `ledger_requests_total{outcome="stale"} 1`) {
			stale++
		}
	}
	if stale != 1 {
		t.Errorf("%d ledgers have refused somebody", stale)
	}
}

// The same schedule with a worker that does not look at tokens.
func TestWithoutTheFenceAZombieOverwritesAnEntry(t *testing.T) {
	t.Parallel()
	f := newFleet(t, map[string]string{"LEDGER_LESSON": "no-check"}, short)
	late, text, b := zombie(t, f)
	if late != http.StatusCreated {
		t.Errorf("%d %s", late, text)
	}
	if a := b.balance("alice"); a.Balance != 105 {
		t.Errorf("%+v: 5 + 7 + 100 is 112, and the lesson is that it became 105", a)
	}
}

func TestAnOwnerBehindAPartitionGivesUpBeforeAnybodySucceedsIt(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, short)
	line := link(t, f.etcd.Addr)
	a := f.replica("a", map[string]string{"OWNERSHIP_STORE_ETCD_ENDPOINTS": line.Addr()})
	a.owns(shards)
	b := f.replica("b", nil)
	first := a.post("e1", "alice", 5)
	line.Silence(cable.Both)
	b.owns(shards)
	second := b.post("e2", "alice", 7)
	if second.Token <= first.Token || second.Balance != 12 {
		t.Errorf("%+v after %+v", second, first)
	}
	a.want(503, "", "POST", "/v1/entries", entry("e3", "alice", 1), nil)
	gaveUp := map[int]time.Time{}
	for _, term := range a.terms() {
		if term.Owner == "a" {
			if term.Ended != "unconfirmed" || term.To == nil {
				t.Errorf("%+v", term)
				continue
			}
			gaveUp[term.Shard] = *term.To
		}
	}
	for _, term := range b.terms() {
		if up, known := gaveUp[term.Shard]; term.Owner == "b" && (!known || term.From.Before(up)) {
			t.Errorf("shard %d: b owned it from %v on, a until %v", term.Shard, term.From, up)
		}
	}
	line.Mend()
	if e := a.post("e3", "alice", 1); e.Owner != "b" || e.Balance != 13 {
		t.Errorf("who comes back has taken it over: %+v", e)
	}
}

func TestWithoutEtcdNobodyActsAndAfterItEverythingGoesOn(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, short)
	a := f.replica("a", nil)
	a.owns(shards)
	b := f.replica("b", nil)
	a.post("e1", "alice", 5)
	for _, away := range []struct{ leave, back func() }{{f.etcd.Pause, f.etcd.Resume}, {f.etcd.Kill, f.etcd.Start}} {
		before := a.balance("alice").Balance
		away.leave()
		for _, r := range []*replica{a, b} {
			await.That(t, r.name+" owns nothing", func() bool {
				o, err := r.owners()
				for _, s := range o.Shards {
					if s.Held || s.TTLLeft != nil {
						return false
					}
				}
				return err == nil
			})
		}
		for _, r := range []*replica{a, b} {
			for _, request := range [][3]string{{"POST", "/v1/entries", entry("never", "alice", 1000)}, {"GET", "/v1/accounts/alice", ""}} {
				if status, text, err := r.do(request[0], request[1], request[2], nil); err != nil || status != 503 {
					t.Errorf("%s: %d %s, %v", r.name, status, text, err)
				}
			}
		}
		away.back()
		if e := b.post(fmt.Sprint("after", before), "alice", 1); e.Balance != before+1 {
			t.Errorf("%+v after %d", e, before)
		}
	}
}

func TestALedgerThatIsAwayLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, nil)
	line := link(t, f.ledgers[1].Data) // that of alice
	a := f.replica("a", map[string]string{"OWNERSHIP_LEDGERS": f.ledgers[0].Data + "," + line.Addr(), "OWNERSHIP_TIMEOUT": "300ms"})
	if shardOf("alice", shards)%2 != 1 {
		t.Fatal("choose another name")
	}
	a.post("e1", "alice", 5)
	line.Silence(cable.Both)
	a.want(503, "ledger-unavailable", "POST", "/v1/entries", entry("e2", "alice", 7), nil)
	line.Mend() // what was sent arrives now
	if e := a.post("e2", "alice", 7); e.Balance != 12 || e.Version != 2 {
		t.Errorf("%+v", e)
	}
	if e := a.post("e3", "alice", 1); e.Balance != 13 || e.Version != 3 {
		t.Errorf("%+v", e)
	}
	a.owns(shards)
}

func TestTooManyRequestsOfAShardAreRefused(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, map[string]string{"OWNERSHIP_QUEUE": "1", "OWNERSHIP_LESSON": "pause"})
	a := f.replica("a", nil)
	a.owns(shards)
	n := 0
	await.That(t, "of two one is refused", func() bool {
		n++
		var both sync.WaitGroup
		var refused [2]bool
		for i := range refused {
			both.Go(func() {
				status, text, err := a.do("POST", "/v1/entries", entry(fmt.Sprintf("e%d-%d", n, i), "alice", 1), nil, pauseHeader, "300ms")
				refused[i] = err == nil && status == 503 && strings.Contains(text, "shard-busy")
			})
		}
		both.Wait()
		return refused[0] != refused[1]
	})
}

func TestARequestIsForwardedOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, nil)
	a := f.replica("a", nil)
	a.owns(shards)
	b := f.replica("b", nil)
	b.want(503, "no-owner", "POST", "/v1/entries", entry("e1", "alice", 5), nil, forwardedHeader, "c")
	b.post("e1", "alice", 5)
	b.want(404, "", "POST", "/v1/lesson/resume", "", nil)
	b.want(409, "not-the-owner", "POST", "/v1/shards/0/resign", "", nil)
}

func TestAnOwnerThatCannotBeReachedIsTold(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, map[string]string{"OWNERSHIP_TIMEOUT": "300ms"})
	a := f.replica("a", map[string]string{"OWNERSHIP_ADVERTISE": nettest.Refuse(t)})
	a.owns(shards)
	b := f.replica("b", nil)
	await.That(t, "it is told", func() bool {
		status, text, err := b.do("POST", "/v1/entries", entry("e1", "alice", 5), nil)
		return err == nil && status == 503 && strings.Contains(text, "owner-unreachable")
	})
}

func TestShardsAreSpreadByAskingForThem(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, map[string]string{"OWNERSHIP_BALANCE_INTERVAL": "200ms"})
	a := f.replica("a", nil)
	a.owns(shards)
	f.replica("b", nil)
	f.replica("c", nil)
	await.That(t, "everybody has some", func() bool {
		o, err := a.owners()
		count := map[string]int{}
		for _, s := range o.Shards {
			count[s.Owner]++
		}
		return err == nil && count["a"] > 0 && count["b"] > 0 && count["c"] > 0
	})
}

func TestAReplicaIsReadyWhenItKnowsTheOwners(t *testing.T) {
	t.Parallel()
	f := newFleet(t, nil, nil)
	f.etcd.Kill()
	a := f.replica("a", nil)
	ready := func() bool {
		resp, err := asker.Get("http://" + a.admin + "/readyz")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	}
	if ready() {
		t.Error("it is ready without etcd")
	}
	f.etcd.Start()
	await.That(t, "it is ready", ready)
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	cfg, err := process.Parse[Config](Program, map[string]string{
		"INSTANCE": "a@b", "OWNERSHIP_SHARDS": "0", "OWNERSHIP_LEDGERS": "http://a", "OWNERSHIP_ADVERTISE": "http://a", "OWNERSHIP_TTL": "1500ms", "OWNERSHIP_POLL": "1ms", "OWNERSHIP_WAIT": "1h",
		"OWNERSHIP_BALANCE_INTERVAL": "1ms", "OWNERSHIP_QUEUE": "0", "OWNERSHIP_HISTORY": "0", "OWNERSHIP_TIMEOUT": "0s",
		"OWNERSHIP_STORE_KIND": "kubernetes", "OWNERSHIP_STORE_PREFIX": "/Own/", "OWNERSHIP_STORE_KUBE_URL": "x", "OWNERSHIP_STORE_KUBE_TIMEOUT": "0s",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(t.Context(), cfg)
	for _, name := range []string{
		"INSTANCE", "OWNERSHIP_SHARDS", "OWNERSHIP_LEDGERS", "OWNERSHIP_ADVERTISE", "OWNERSHIP_TTL", "OWNERSHIP_POLL", "OWNERSHIP_WAIT", "OWNERSHIP_BALANCE_INTERVAL",
		"OWNERSHIP_QUEUE", "OWNERSHIP_HISTORY", "OWNERSHIP_TIMEOUT", "OWNERSHIP_STORE_PREFIX", "OWNERSHIP_STORE_KUBE_URL", "OWNERSHIP_STORE_KUBE_TIMEOUT",
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	if _, err := process.Parse[Config](Program, map[string]string{"OWNERSHIP_LEDGERS": "a:1", "OWNERSHIP_LESSON": "pause,x"}); err == nil || !strings.Contains(err.Error(), "OWNERSHIP_LESSON") {
		t.Errorf("%v", err)
	}
}

func FuzzParseIntent(f *testing.F) {
	f.Add([]byte(`{"id":"8d1f","account":"alice","amount":5,"if_version":3}`))
	f.Add([]byte(`{"id":"a","account":"b","amount":1}{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := parseIntent(body)
		if err == nil && (in.ID == "" || in.Amount == 0 || strings.ContainsAny(in.Account+in.ID, "/?#% ")) {
			t.Errorf("%s: %+v", body, in)
		}
	})
}
