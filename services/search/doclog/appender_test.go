package doclog

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/kafkatest"
	"github.com/flotilla-dev/flotilla/services/search/document"
)

func identity(t *testing.T, c *Cluster) ProducerIdentity {
	t.Helper()
	var i ProducerIdentity
	await.Seen(t, "a broker to give an identity", func() (seen any, so bool) {
		var err error
		i, err = c.Identify() // a real one loads what it needs for it at first
		return err, err == nil
	})
	return i
}

func copied(id string, partition int32, offset int64) Record {
	r := Put(document.Document{ID: id, Title: id})
	r.Source = &Source{partition, offset}
	return r
}

func TestWhatIsAppendedIsReadWithWhereItCameFrom(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		c := create(t, b, "appended", 1)
		a := NewAppender(c, 0, identity(t, c))
		deleted := Delete("b")
		deleted.Source = &Source{2, 9}
		last, err := a.Append(patience(t), Fencing("one"), copied("a", 1, 7), deleted, Sealed("next"), Controlled("state", []byte(`{"x":1}`)), Note("done"))
		if err != nil || last != 5 {
			t.Fatalf("%d %v", last, err)
		}
		all, _ := read(t, c, 0, 0)
		kinds := []Kind{Fence, Document, Document, Seal, Control, Mark}
		for i, r := range all {
			if r.Kind != kinds[i] || r.Offset != int64(i) {
				t.Errorf("%d is %+v", i, r)
			}
		}
		if len(all) != len(kinds) || !reflect.DeepEqual(all[1].Source, &Source{1, 7}) || all[1].Document == nil || !reflect.DeepEqual(all[2].Source, &Source{2, 9}) ||
			all[2].Document != nil || all[3].ID != "next" || string(all[4].Value) != `{"x":1}` || all[5].ID != "done" {
			t.Errorf("%+v", all)
		}
	})
}

// The request of an appender that is no more may lie in a socket of the broker until after its successor has begun.
func TestWhoTakesOverIsNotOvertakenByWhatWasOnItsWay(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		c := create(t, b, "taken", 1)
		first := identity(t, c)
		old := NewAppender(c, 0, first)
		if _, err := old.Append(patience(t), copied("a", 0, 1)); err != nil {
			t.Fatal(err)
		}
		next, ok := first.Next()
		if !ok {
			t.Fatal("no next epoch")
		}
		now := NewAppender(connect(t, b.Addr, "taken"), 0, next)
		if _, err := now.Append(patience(t), Fencing("second"), copied("a", 0, 2)); err != nil {
			t.Fatal(err)
		}
		var fenced *Fenced
		for range 2 { // an appender that failed does not come back
			if _, err := old.Append(patience(t), copied("a", 0, 1)); !errors.As(err, &fenced) {
				t.Errorf("the one that was taken over from: %v", err)
			}
		}
		if all, _ := read(t, c, 0, 0); len(all) != 3 || all[2].Source.Offset != 2 {
			t.Errorf("%+v", all)
		}
	})
}

func TestAnAppenderWritesNothingBehindWhatItIsNotSureOf(t *testing.T) {
	b := kafkatest.Embedded(t)
	c := create(t, b, "unsure", 1)
	a := NewAppender(c, 0, identity(t, c))
	if _, err := a.Append(patience(t), copied("a", 0, 1)); err != nil {
		t.Fatal(err)
	}
	b.Pause()
	_, err := a.Append(patience(t), copied("a", 0, 2))
	var unknown *Unknown
	if !errors.As(err, &unknown) {
		t.Errorf("a broker that is paused: %v", err)
	}
	b.Resume()
	if _, err := a.Append(context.Background(), copied("a", 0, 3)); !errors.As(err, &unknown) {
		t.Errorf("written behind what may not be there: %v", err)
	}
	all, _ := read(t, c, 0, 0)
	for _, r := range all {
		if r.Source.Offset == 3 {
			t.Errorf("%+v", all)
		}
	}
}
