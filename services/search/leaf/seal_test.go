package leaf

import (
	"testing"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/document"
)

// What is behind a seal was acknowledged to nobody: no replica shows it, not even one that has begun from a snapshot behind the seal.
func TestALeafEndsAtASeal(t *testing.T) {
	l := newLog(t)
	l.write(0, 10)
	late := func(id string) doclog.Placed {
		return doclog.Placed{Record: doclog.Put(document.Document{ID: id, Title: "dog"})}
	}
	l.put(doclog.Placed{Record: doclog.Sealed("next")})
	epoch := l.put(late("late"), doclog.Placed{Record: doclog.Delete("d1")})
	dir := t.TempDir()
	r := l.leaf(map[string]string{"SEARCHLEAF_DIR": dir}).awaitReady()
	r.awaitEpoch(epoch)
	if s := r.status(); s.Documents != 10 {
		t.Errorf("%d documents", s.Documents)
	}
	if err := r.Stop(); err != nil { // with a snapshot
		t.Fatal(err)
	}
	epoch = l.put(late("later"))
	again := l.leaf(map[string]string{"SEARCHLEAF_DIR": dir}).awaitReady()
	again.holds(`searchleaf_snapshots_total{outcome="loaded"}`, "1")
	again.awaitEpoch(epoch)
	if s := again.status(); s.Documents != 10 {
		t.Errorf("from the snapshot: %d documents", s.Documents)
	}
}
