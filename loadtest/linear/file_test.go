package linear_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/loadtest/linear"
)

func examples() []linear.History {
	return []linear.History{
		{Model: linear.Mutex, Operations: []linear.Operation{acquire("a", 1, 2), expire("a", 30), by(7, refused(release("a", 31, 32)))}},
		{Model: linear.Fence, Operations: []linear.Operation{granted(3, 1, 2), write(3, 3, 0), on("<k>\n\"", refused(write(3, 4, 5)))}},
		{Model: linear.Ledger, Operations: []linear.Operation{add("x", 1, 1, 2), read("x", 3, 4), read("", 5, 6)}},
		{Model: linear.Ledger},
	}
}

func TestAHistoryIsReadAsItWasWritten(t *testing.T) {
	for _, h := range examples() {
		var file bytes.Buffer
		if err := h.Write(&file); err != nil {
			t.Fatal(err)
		}
		again, err := linear.ReadHistory(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if again.Model.String() != h.Model.String() || len(again.Operations) != len(h.Operations) {
			t.Errorf("%+v", again)
		}
		for i, op := range again.Operations {
			want := h.Operations[i]
			if len(want.Entries) == 0 {
				want.Entries = nil // an empty list is left out
			}
			if !reflect.DeepEqual(op, want) {
				t.Errorf("%+v, want %+v", op, want)
			}
		}
		if cut := file.Bytes()[:file.Len()-1]; len(h.Operations) > 0 {
			if _, err := linear.ReadHistory(bytes.NewReader(cut)); err == nil {
				t.Error("a file that was cut off is read")
			}
		}
	}
}

func TestTheExampleOfTheManualIsAHistory(t *testing.T) {
	h, err := linear.ReadHistory(strings.NewReader(`{"format":"flotilla-history","version":1,"model":"fence"}
{"client":3,"key":"shard-1","do":"write","token":7,"outcome":"ok","call":1500,"return":2700}
`))
	if err != nil || len(h.Operations) != 1 || h.Operations[0].Token != 7 {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestWhatIsNoHistoryIsRefusedWithItsPlace(t *testing.T) {
	head := `{"format":"flotilla-history","version":1,"model":"fence"}` + "\n"
	mutex := strings.Replace(head, "fence", "mutex", 1)
	ledger := strings.Replace(head, "fence", "ledger", 1)
	for _, c := range []struct{ text, says string }{
		{"", "empty"},
		{"\n", "line 1"},
		{strings.Replace(head, "1", "2", 1), `version 2`},
		{strings.Replace(head, "fence", "queue", 1), `"queue", want mutex, fence or ledger`},
		{head + "{}\n", "operation 1"},
		{head + `{"x":1}` + "\n", "line 2"},
		{head + `{"client":0,"key":"k","do":"write","token":1,"outcome":"ok","call":1,"return":2} {}` + "\n", "something follows"},
		{head + `{"client":0,"key":"k","do":"write","token":1,"outcome":"ok","call":1,"return":2}`, "line 2: it does not end"},
		{head + `{"client":-1,"key":"k","do":"write","token":1,"outcome":"ok","call":1,"return":2}` + "\n", "client -1"},
		{head + `{"client":0,"do":"write","token":1,"outcome":"ok","call":1,"return":2}` + "\n", "no key"},
		{head + `{"client":0,"key":"k","do":"write","outcome":"ok","call":1,"return":2}` + "\n", "no token"},
		{head + `{"client":0,"key":"k","do":"acquire","token":1,"outcome":"unknown","call":1}` + "\n", "has no token"},
		{head + `{"client":0,"key":"k","do":"write","token":1,"grant":"g","outcome":"ok","call":1,"return":2}` + "\n", "has no grant"},
		{head + `{"client":0,"key":"k","do":"write","token":1,"outcome":"maybe","call":1,"return":2}` + "\n", `outcome "maybe"`},
		{head + `{"client":0,"key":"k","do":"write","token":1,"outcome":"ok","call":2,"return":2}` + "\n", "return 2, want more"},
		{head + `{"client":0,"key":"k","do":"write","token":1,"outcome":"ok","call":-2,"return":2}` + "\n", "call -2"},
		{head + `{"client":0,"key":"k","do":"write","token":1,"outcome":"unknown","call":1,"return":2}` + "\n", "unknown outcome has no return"},
		{head + `{"client":0,"key":"k","do":"release","token":1,"outcome":"ok","call":1,"return":2}` + "\n", `do "release", want one of [acquire write]`},
		{head + `{"client":0,"key":"k","do":"write","token":1,"outcome":"ok","call":5,"return":6}` + "\n" +
			`{"client":0,"key":"k","do":"write","token":1,"outcome":"ok","call":1,"return":2}` + "\n", "operation 2: its call is before"},
		{mutex + `{"client":0,"key":"k","do":"acquire","outcome":"ok","call":1,"return":2}` + "\n", "no grant"},
		{mutex + `{"client":0,"key":"k","do":"expire","grant":"g","outcome":"ok","call":1,"return":2}` + "\n", "nobody is told"},
		{mutex + strings.Repeat(`{"client":0,"key":"k","do":"acquire","grant":"g","outcome":"ok","call":1,"return":2}`+"\n", 2), "second time"},
		{ledger + `{"client":0,"key":"k","do":"append","outcome":"ok","version":1,"call":1,"return":2}` + "\n", "no entry"},
		{ledger + `{"client":0,"key":"k","do":"append","entry":"x","outcome":"ok","call":1,"return":2}` + "\n", "no version"},
		{ledger + `{"client":0,"key":"k","do":"read","entries":["x"],"outcome":"refused","call":1,"return":2}` + "\n", "has no entries"},
		{head + `{"key":"` + strings.Repeat("k", 1<<20) + `"}` + "\n", "line 2"},
	} {
		if h, err := linear.ReadHistory(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.200s: %d operations, %v; want %q", c.text, len(h.Operations), err, c.says)
		}
	}
}

func FuzzReadHistory(f *testing.F) {
	for _, h := range examples() {
		var file bytes.Buffer
		if err := h.Write(&file); err != nil {
			f.Fatal(err)
		}
		f.Add(file.Bytes())
	}
	f.Add([]byte(`{"format":"flotilla-history","version":1,"model":"mutex"}` + "\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := linear.ReadHistory(bytes.NewReader(text))
		if err != nil {
			return
		}
		var once, twice bytes.Buffer
		if err := h.Write(&once); err != nil {
			t.Fatal(err)
		}
		again, err := linear.ReadHistory(bytes.NewReader(once.Bytes()))
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, once.Bytes())
		}
		if err := again.Write(&twice); err != nil || !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Errorf("written again, it differs: %v\n%s\n%s", err, once.Bytes(), twice.Bytes())
		}
	})
}
