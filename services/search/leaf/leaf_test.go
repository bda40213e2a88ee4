package leaf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/kafkatest"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// A log is a broker with the topic, and a writer to it.
type log struct {
	*testing.T
	broker *kafkatest.Broker
	writer *doclog.Writer
}

func newLog(t *testing.T) *log {
	t.Helper()
	b := kafkatest.Embedded(t)
	c, err := doclog.Open(doclog.Options{Brokers: []string{b.Addr}, Topic: "documents", Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the test is over
	if err := c.Await(patience(t), 1, true); err != nil {
		t.Fatal(err)
	}
	w := doclog.NewWriter(c, 1)
	t.Cleanup(w.Close)
	return &log{T: t, broker: b, writer: w}
}

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
	t.Cleanup(cancel)
	return ctx
}

// write writes documents d<from> to d<to-1>, and returns the epoch that has them.
func (l *log) write(from, to int) int64 {
	l.Helper()
	epoch := int64(0)
	for at := from; at < to; at += 1000 {
		var all []doclog.Placed
		for i := at; i < min(at+1000, to); i++ {
			all = append(all, doclog.Placed{Record: doclog.Put(document.Document{
				ID: fmt.Sprintf("d%d", i), Title: fmt.Sprintf("dog number%d", i%7), Text: strings.Repeat("a hound and a dog ", 1+i%5), Labels: map[string]string{"pos": "noun"},
			})})
		}
		epoch = l.put(all...)
	}
	return epoch
}

// put writes records, as somebody does who has patience.
func (l *log) put(all ...doclog.Placed) (epoch int64) {
	l.Helper()
	await.Seen(l.T, "the log takes the records", func() (any, bool) {
		for _, r := range l.writer.Write(patience(l.T), all...) {
			if r.Err != nil {
				return r.Err, false
			}
			epoch = r.Offset + 1
		}
		return nil, true
	})
	return epoch
}

// leaf starts a replica.
func (l *log) leaf(env map[string]string) *replica {
	l.Helper()
	values := map[string]string{"SEARCHLEAF_KAFKA": l.broker.Addr, "SEARCHLEAF_PARTITIONS": "1", "SEARCHLEAF_KAFKA_TIMEOUT": "2s", "LOG_LEVEL": "ERROR+1"}
	maps.Copy(values, env)
	cfg := processtest.Parse[Config](l.T, Program, values)
	r := processtest.Start(l.T, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return &replica{T: l.T, Running: r}
}

type replica struct {
	*testing.T
	*processtest.Running
}

func (r *replica) ready() bool {
	resp, _ := processtest.Get(r.T, "http://"+r.Admin+"/readyz")
	return resp.StatusCode == http.StatusOK
}

func (r *replica) awaitReady() *replica {
	r.Helper()
	await.That(r.T, "the leaf is ready", r.ready)
	return r
}

func (r *replica) status() (s state) {
	r.Helper()
	_, body := processtest.Get(r.T, "http://"+r.Data+"/v1/status")
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		r.Fatal(err)
	}
	return s
}

// awaitEpoch waits until the leaf has applied the log up to an offset.
func (r *replica) awaitEpoch(epoch int64) {
	r.Helper()
	await.Seen(r.T, fmt.Sprintf("the leaf is at epoch %d", epoch), func() (any, bool) {
		s := r.status()
		return s, s.Epoch >= epoch
	})
}

// metric is the value of a metric, as it is written.
func (r *replica) metric(name string) string {
	r.Helper()
	_, body := processtest.Get(r.T, "http://"+r.Admin+"/metrics")
	for line := range strings.Lines(body) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return "missing"
}

func (r *replica) holds(name, want string) {
	r.Helper()
	if got := r.metric(name); got != want {
		r.Errorf("%s is %s, want %s", name, got, want)
	}
}

// post sends a request and returns the status and the body of the answer.
func (r *replica) post(path string, request any, header ...string) (int, string) {
	r.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		r.Fatal(err)
	}
	resp, answer := processtest.Do(r.T, http.DefaultClient, http.MethodPost, "http://"+r.Data+path, string(body), header...)
	return resp.StatusCode, answer
}

// want posts and holds the answer to a status and to what is in it.
func (r *replica) want(status int, part, path string, request any, header ...string) string {
	r.Helper()
	got, body := r.post(path, request, header...)
	if got != status || !strings.Contains(body, part) {
		r.Errorf("%s: %d %s; want %d with %s", path, got, body, status, part)
	}
	return body
}

func word(w string) *query.Node { return &query.Node{Kind: query.Term, Words: []string{w}} }

// search plans and searches on one shard at an epoch.
func (r *replica) search(epoch int64, q *query.Node) (int, string) {
	r.Helper()
	status, body := r.post("/v1/statistics", wire.StatisticsRequest{Query: q, Epoch: epoch})
	if status != http.StatusOK {
		return status, body
	}
	var s wire.Statistics
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		r.Fatal(err)
	}
	plan := wire.Plan{Query: q, Documents: s.Documents, Lengths: s.Lengths, Nodes: s.Nodes}
	return r.post("/v1/search", wire.SearchRequest{Epoch: s.Epoch, Plan: plan, Limit: 20, Facets: []string{"pos"}})
}

func TestItIsReadyWhenItHasReadWhatTheLogHadAndNotBefore(t *testing.T) {
	l := newLog(t)
	var all []doclog.Placed
	for i := range 400 { // more than one request brings
		all = append(all, doclog.Placed{Record: doclog.Put(document.Document{ID: fmt.Sprintf("d%d", i), Text: strings.Repeat("a dog ", 3000)})})
	}
	epoch := l.put(all...)
	l.broker.Kill()
	r := l.leaf(nil)
	await.That(t, "the leaf looks for the log", func() bool { return r.status().Epoch == 0 })
	if r.ready() {
		t.Error("ready without having read anything")
	}
	r.want(503, "not-caught-up", "/v1/statistics", wire.StatisticsRequest{Query: word("dog"), Epoch: wire.Latest})
	l.broker.Start()
	await.That(t, "the leaf is ready", func() bool {
		if !r.ready() {
			return false
		}
		if s := r.status(); s.Epoch < epoch || s.Documents != 400 {
			t.Errorf("ready at %+v, the log had %d", s, epoch)
		}
		return true
	})
	r.want(200, `"documents":400`, "/v1/statistics", wire.StatisticsRequest{Query: word("dog"), Epoch: wire.Latest})
}

func TestReadsGoOnWhileTheLogIsGone(t *testing.T) {
	l := newLog(t)
	l.write(0, 100)
	r := l.leaf(nil).awaitReady()
	l.broker.Kill()
	await.That(t, "the leaf knows that the log is gone", func() bool { return r.status().Away != nil })
	if !r.ready() {
		t.Error("not ready any more")
	}
	if status, body := r.search(wire.Latest, word("dog")); status != 200 || !strings.Contains(body, `"total":100`) {
		t.Errorf("a search while the log is gone: %d %s", status, body)
	}
	l.broker.Start()
	r.awaitEpoch(l.write(100, 101))
	await.That(t, "the leaf knows that the log is back", func() bool { return r.status().Away == nil })
	if s := r.status(); s.Documents != 101 || !s.CaughtUp {
		t.Errorf("%+v", s)
	}
}

func TestASnapshotSavesAllButWhatIsNew(t *testing.T) {
	l := newLog(t)
	dir := t.TempDir()
	env := map[string]string{"SEARCHLEAF_DIR": dir, "SEARCHLEAF_SNAPSHOT_INTERVAL": "1h"}
	l.write(0, 500)
	l.put(doclog.Placed{Record: doclog.Delete("d3")})
	epoch := l.put(doclog.Placed{Record: doclog.Note("corpus")})
	r := l.leaf(env).awaitReady()
	r.holds("searchleaf_records_applied_total", "502")
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	epoch = max(epoch, l.write(500, 507))
	r = l.leaf(env).awaitReady()
	r.awaitEpoch(epoch)
	r.holds("searchleaf_records_applied_total", "7")
	r.holds(`searchleaf_snapshots_total{outcome="loaded"}`, "1")
	if s := r.status(); s.Documents != 506 || s.Snapshot != 502 || fmt.Sprint(s.Marks) != "[corpus]" {
		t.Errorf("%+v", s)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "snapshot.new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
}

func TestASnapshotIsWrittenAfterChangesAndAfterTime(t *testing.T) {
	l := newLog(t)
	r := l.leaf(map[string]string{"SEARCHLEAF_DIR": t.TempDir(), "SEARCHLEAF_SNAPSHOT_INTERVAL": "1h", "SEARCHLEAF_SNAPSHOT_CHANGES": "50"}).awaitReady()
	epoch := l.write(0, 60)
	await.That(t, "a snapshot is written for the changes", func() bool { return r.status().Snapshot == epoch })
	other := l.leaf(map[string]string{"SEARCHLEAF_DIR": t.TempDir(), "SEARCHLEAF_SNAPSHOT_INTERVAL": "100ms"}).awaitReady()
	await.That(t, "a snapshot is written for the time", func() bool { return other.status().Snapshot == epoch })
}

func TestAWrongSnapshotIsIgnoredAloud(t *testing.T) {
	l := newLog(t)
	l.write(0, 200)
	dir := t.TempDir()
	env := map[string]string{"SEARCHLEAF_DIR": dir, "SEARCHLEAF_SNAPSHOT_INTERVAL": "1h"}
	if err := l.leaf(env).awaitReady().Stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, snapshotName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(good)/2] ^= 1
	for name, bad := range map[string][]byte{
		"a flipped bit":     flipped,
		"cut off":           good[:len(good)-10],
		"longer":            append(bytes.Clone(good), 0),
		"empty":             nil,
		"another format":    append([]byte("flotilla search snapshot 9\n"), good...),
		"another topic":     bytes.Replace(good, []byte(`"topic":"documents"`), []byte(`"topic":"documentz"`), 1),
		"another partition": bytes.Replace(good, []byte(`"partition":0`), []byte(`"partition":1`), 1),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			one := *l
			one.T = t
			r := one.leaf(env).awaitReady()
			r.holds("searchleaf_records_applied_total", "200")
			r.holds(`searchleaf_snapshots_total{outcome="ignored"}`, "1")
			r.holds("searchleaf_documents", "200")
		})
	}
}

func TestASnapshotIsUsedOnlyWhileDeletionsSurelyStay(t *testing.T) {
	l := &leaf{cfg: Config{Topic: "documents", Partition: 2}}
	good := header{Topic: "documents", Partition: 2, Identity: "x", Current: time.Now().Add(-11 * time.Hour)}
	if err := l.fits(good, "x", 24*time.Hour); err != nil {
		t.Error(err)
	}
	old, future := good, good
	old.Current, future.Current = time.Now().Add(-13*time.Hour), time.Now().Add(time.Hour)
	for name, err := range map[string]error{
		"old":             l.fits(old, "x", 24*time.Hour),
		"of the future":   l.fits(future, "x", 24*time.Hour),
		"another topic's": l.fits(good, "y", 24*time.Hour),
	} {
		if err == nil {
			t.Errorf("a snapshot that is %s is used", name)
		}
	}
}

func TestReplicasAnswerTheSameBitsAtTheSameEpoch(t *testing.T) {
	l := newLog(t)
	dir := t.TempDir()
	l.write(0, 400)
	snapshot := l.leaf(map[string]string{"SEARCHLEAF_DIR": dir}).awaitReady()
	if err := snapshot.Stop(); err != nil {
		t.Fatal(err)
	}
	a := l.leaf(nil).awaitReady()
	l.put(doclog.Placed{Record: doclog.Delete("d5")}, doclog.Placed{Record: doclog.Delete("d8")})
	epoch := l.write(390, 450) // replaced, and new
	b := l.leaf(map[string]string{"SEARCHLEAF_DIR": dir}).awaitReady()
	c := l.leaf(nil).awaitReady()
	b.holds(`searchleaf_snapshots_total{outcome="loaded"}`, "1")
	for _, r := range []*replica{a, b, c} {
		r.awaitEpoch(epoch)
	}
	l.write(0, 30) // what comes later changes nothing
	for _, q := range []*query.Node{
		word("dog"), word("hound"),
		{Kind: query.Prefix, Words: []string{"numb"}},
		{Kind: query.Fuzzy, Words: []string{"numbre3"}, Edits: 2},
		{Kind: query.And, Nodes: []*query.Node{word("dog"), {Kind: query.Not, Nodes: []*query.Node{word("number3")}}}},
	} {
		status, want := a.search(epoch, q)
		if status != 200 {
			t.Fatalf("%d %s", status, want)
		}
		for _, r := range []*replica{b, c} {
			if _, got := r.search(epoch, q); got != want {
				t.Errorf("%s:\n%s\n%s", q, want, got)
			}
		}
	}
}

func TestARequestForAnEpochThatIsNotReachedWaitsForIt(t *testing.T) {
	l := newLog(t)
	epoch := l.write(0, 10)
	r := l.leaf(nil).awaitReady()
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Post("http://"+r.Data+"/v1/statistics", "application/json", strings.NewReader(fmt.Sprintf(`{"query":{"kind":"term","words":["dog"]},"epoch":%d}`, epoch+1)))
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body) // what was read is compared
		answered <- string(body)
	}()
	await.That(t, "the request waits", func() bool { return r.metric("searchleaf_waiting") == "1" })
	l.write(10, 11)
	if got := <-answered; !strings.Contains(got, fmt.Sprintf(`"epoch":%d,"documents":11`, epoch+1)) {
		t.Errorf("the answer is %s", got)
	}
	r.want(503, "epoch-not-reached", "/v1/statistics", wire.StatisticsRequest{Query: word("dog"), Epoch: wire.Latest, Least: epoch + 5}, "X-Request-Timeout", "50")
	r.want(200, `"documents":11`, "/v1/statistics", wire.StatisticsRequest{Query: word("dog"), Epoch: wire.Latest, Least: epoch + 1})
	r.want(200, `"documents":10`, "/v1/statistics", wire.StatisticsRequest{Query: word("dog"), Epoch: epoch})
}

func TestMoreRequestsThanMayWaitAreShed(t *testing.T) {
	l := newLog(t)
	epoch := l.write(0, 10)
	r := l.leaf(map[string]string{"SEARCHLEAF_CONCURRENCY": "1"}).awaitReady()
	ctx, leave := context.WithCancel(t.Context())
	body := fmt.Sprintf(`{"query":{"kind":"term","words":["dog"]},"epoch":%d}`, epoch+1000)
	left := make(chan struct{})
	for range places {
		go func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.Data+"/v1/statistics", strings.NewReader(body))
			if err == nil {
				_, err = http.DefaultClient.Do(req)
			}
			if err == nil {
				t.Error("an answer for an epoch that never comes")
			}
			left <- struct{}{}
		}()
	}
	await.That(t, "as many requests wait as may", func() bool { return r.metric("searchleaf_waiting") == fmt.Sprint(places) })
	resp, answer := processtest.Do(t, http.DefaultClient, http.MethodPost, "http://"+r.Data+"/v1/statistics", body)
	if resp.StatusCode != 503 || !strings.Contains(answer, "#overloaded") || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("one more: %d %s", resp.StatusCode, answer)
	}
	r.holds("searchleaf_shed_total", "1")
	if status, answer := r.search(wire.Latest, word("dog")); status != 200 {
		t.Errorf("one that need not wait: %d %s", status, answer)
	}
	leave()
	for range places {
		<-left
	}
	await.That(t, "who has left does not wait any more", func() bool { return r.metric("searchleaf_waiting") == "0" })
}

func TestAnEpochThatIsNotKeptIsGone(t *testing.T) {
	l := newLog(t)
	l.write(0, 10)
	r := l.leaf(map[string]string{"SEARCHLEAF_VERSIONS": "0s"}).awaitReady()
	r.awaitEpoch(l.write(0, 20))
	r.want(410, "epoch-gone", "/v1/statistics", wire.StatisticsRequest{Query: word("dog"), Epoch: 5})
}

func TestATopicOfAnotherSizeIsRefused(t *testing.T) {
	l := newLog(t)
	r := l.leaf(map[string]string{"SEARCHLEAF_PARTITIONS": "3"})
	<-r.Ended
	var other *doclog.Partitions
	if err := r.Wait(); !errors.As(err, &other) || other.Have != 1 || other.Want != 3 {
		t.Errorf("it ended with %v", err)
	}
}

func TestALogThatIsMadeAnewIsReadAnew(t *testing.T) {
	l := newLog(t)
	dir := t.TempDir()
	l.write(0, 50)
	r := l.leaf(map[string]string{"SEARCHLEAF_DIR": dir, "SEARCHLEAF_SNAPSHOT_INTERVAL": "100ms"}).awaitReady()
	await.That(t, "there is a snapshot", func() bool { return r.status().Snapshot == 50 })
	conf := sarama.NewConfig()
	admin, err := sarama.NewClusterAdmin([]string{l.broker.Addr}, conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(admin.DeleteTopic("documents"), admin.CreateTopic("documents", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false), admin.Close()); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the leaf has begun anew", func() bool { return r.metric("searchleaf_log_lost_total") == "1" })
	l.write(100, 103)
	await.Seen(t, "the leaf has what the new log has", func() (any, bool) {
		s := r.status()
		return s, s.Documents == 3 && s.CaughtUp && s.Epoch == 3
	})
}

func TestALeafWhoseMemoryIsFullSaysSo(t *testing.T) {
	l := newLog(t)
	l.write(0, 20)
	r := l.leaf(map[string]string{"SEARCHLEAF_MEMORY": "256KiB"}).awaitReady()
	l.write(20, 4000)
	await.That(t, "the leaf is not ready", func() bool { return !r.ready() })
	if _, body := processtest.Get(t, "http://"+r.Admin+"/readyz"); !strings.Contains(body, "SEARCHLEAF_MEMORY=256KiB") {
		t.Errorf("it says %s", body)
	}
	if status, body := r.search(wire.Latest, word("dog")); status != 200 {
		t.Errorf("what it has cannot be asked for: %d %s", status, body)
	}
}

func TestEveryRouteAnswers(t *testing.T) {
	l := newLog(t)
	epoch := l.write(0, 30)
	r := l.leaf(nil).awaitReady()
	r.awaitEpoch(epoch)
	_, body := r.post("/v1/terms", wire.TermsRequest{Epoch: epoch, Node: *word("dog"), Limit: 1000})
	var postings wire.Postings
	if err := postings.UnmarshalBinary([]byte(body)); err != nil || len(postings.Offsets) != 30 || postings.Epoch != epoch {
		t.Errorf("terms: %+v, %v", postings, err)
	}
	r.want(200, `"id":"d2"`, "/v1/documents", wire.DocumentsRequest{Epoch: epoch, Offsets: []int64{2}, Query: word("dog")})
	r.want(200, `"word":"hound"`, "/v1/suggest", wire.SuggestRequest{Epoch: epoch, Word: "houmd"})
	if resp, body := processtest.Get(t, "http://"+r.Data+"/v1/documents/d7"); resp.StatusCode != 200 || !strings.Contains(body, `"offset":7,"epoch":30`) {
		t.Errorf("document: %d %s", resp.StatusCode, body)
	}
	late := make(chan string, 1)
	go func() {
		_, body := processtest.Get(t, "http://"+r.Data+"/v1/documents/later?least=31")
		late <- body
	}()
	l.put(doclog.Placed{Record: doclog.Put(document.Document{ID: "later", Title: "dog"})})
	if body := <-late; !strings.Contains(body, `"offset":30,"epoch":31`) {
		t.Errorf("a document that is waited for: %s", body)
	}
	if resp, body := processtest.Get(t, "http://"+r.Data+"/v1/documents/d7?least=40", "X-Request-Timeout", "200"); resp.StatusCode != 503 || !strings.Contains(body, "#epoch-not-reached") {
		t.Errorf("a document at an epoch that does not come: %d %s", resp.StatusCode, body)
	}
	for _, least := range []string{"-1", "x", "9223372036854775808"} {
		if resp, body := processtest.Get(t, "http://"+r.Data+"/v1/documents/d7?least="+least); resp.StatusCode != 400 || !strings.Contains(body, "least: want") {
			t.Errorf("least %s: %d %s", least, resp.StatusCode, body)
		}
	}
	if resp, body := processtest.Get(t, "http://"+r.Data+"/v1/documents/none"); resp.StatusCode != 404 || !strings.Contains(body, "#document-not-found") {
		t.Errorf("a document that is not there: %d %s", resp.StatusCode, body)
	}
	_, body = r.post("/v1/statistics", wire.StatisticsRequest{Query: word("dog"), Epoch: epoch})
	var s wire.Statistics
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	plan := wire.Plan{Query: word("dog"), Documents: s.Documents, Lengths: s.Lengths, Nodes: s.Nodes}
	r.want(200, `"score":`, "/v1/explain", wire.ExplainRequest{Epoch: epoch, Plan: plan, ID: "d2"})
}

func TestADocumentIsFoundWhateverItsIDIsMadeOf(t *testing.T) {
	l := newLog(t)
	ids := []string{"a/b", "what?", "100%", "a%2Fb", "#1", "a+b"}
	epoch := int64(0)
	for _, id := range ids {
		epoch = l.put(doclog.Placed{Record: doclog.Put(document.Document{ID: id, Title: "dog"})})
	}
	r := l.leaf(nil).awaitReady()
	r.awaitEpoch(epoch)
	for _, id := range ids {
		resp, body := processtest.Get(t, "http://"+r.Data+"/v1/documents/"+url.PathEscape(id))
		if resp.StatusCode != 200 || !strings.Contains(body, fmt.Sprintf(`"id":%q`, id)) {
			t.Errorf("%s: status %d %s", id, resp.StatusCode, body)
		}
	}
}

func TestWrongRequestsAreToldWhatIsWrong(t *testing.T) {
	l := newLog(t)
	l.write(0, 3)
	r := l.leaf(nil).awaitReady()
	r.want(400, "bad-request", "/v1/search", "text")
	r.want(400, "bad-request", "/v1/search", wire.SearchRequest{Epoch: wire.Latest, Limit: 10})
	r.want(400, "query", "/v1/statistics", wire.StatisticsRequest{Epoch: wire.Latest, Query: &query.Node{Kind: "dance"}})
	r.want(400, "epoch", "/v1/statistics", wire.StatisticsRequest{Epoch: -2, Query: word("dog")})
	r.want(400, "limit", "/v1/terms", wire.TermsRequest{Epoch: wire.Latest, Node: *word("dog")})
	r.want(413, "body-too-large", "/v1/suggest", wire.SuggestRequest{Word: strings.Repeat("a", 2<<20)})
}

func TestWrongConfigurationIsNamed(t *testing.T) {
	cfg := processtest.Parse[Config](t, Program, map[string]string{
		"SEARCHLEAF_KAFKA": "nowhere", "SEARCHLEAF_PARTITION": "3", "SEARCHLEAF_TOPIC": "a b", "SEARCHLEAF_VERSIONS": "2h", "SEARCHLEAF_SNAPSHOT_INTERVAL": "1ms",
	})
	err := Run(t.Context(), cfg)
	for _, variable := range []string{"SEARCHLEAF_KAFKA", "SEARCHLEAF_PARTITION", "SEARCHLEAF_TOPIC", "SEARCHLEAF_VERSIONS", "SEARCHLEAF_SNAPSHOT_INTERVAL"} {
		if err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s is not named: %v", variable, err)
		}
	}
}
