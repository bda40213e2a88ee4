package spool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func drain(r *Reader) (string, error) {
	var b bytes.Buffer
	for {
		p, err := r.Next(context.Background())
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		b.Write(p)
	}
}

func TestReadersGetTheWholeWheneverTheyBegin(t *testing.T) {
	text := strings.Repeat("0123456789", 20000)
	for _, length := range []int64{-1, int64(len(text))} {
		for _, source := range []io.Reader{strings.NewReader(text), iotest.HalfReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
			b := New(length, 1<<20)
			var wg sync.WaitGroup
			for range 4 {
				r, _ := b.Reader(0, -1)
				wg.Go(func() {
					if got, err := drain(r); got != text || err != nil {
						t.Errorf("%d bytes, %v", len(got), err)
					}
				})
			}
			whole, err := b.Fill(context.Background(), source)
			if string(whole) != text || err != nil {
				t.Errorf("kept %d bytes, %v", len(whole), err)
			}
			wg.Wait()
			part, _ := b.Reader(15, 25)
			if got, _ := drain(part); got != text[15:25] {
				t.Errorf("part %q", got)
			}
		}
	}
}

func TestABodyPastTheLimitStaysWithinTheWindow(t *testing.T) {
	b := New(-1, 100<<10)
	r, _ := b.Reader(0, -1)
	source, sink := io.Pipe()
	go func() {
		piece := make([]byte, 64<<10)
		for range 100 {
			_, _ = sink.Write(piece)
		}
		sink.Close()
	}()
	done := make(chan error, 1)
	go func() {
		whole, err := b.Fill(context.Background(), source)
		if whole != nil {
			t.Error("kept")
		}
		done <- err
	}()
	total := 0
	for {
		p, err := r.Next(context.Background())
		if err != nil {
			break
		}
		total += len(p)
		b.mu.Lock()
		held := b.size - b.base
		b.mu.Unlock()
		if held > Window+200<<10 {
			t.Fatalf("%d bytes held", held)
		}
	}
	if err := <-done; err != nil || total != 100*64<<10 {
		t.Errorf("%d bytes, %v", total, err)
	}
	if _, ok := b.Reader(0, -1); ok {
		t.Error("a late reader was let in")
	}
}

func TestAPassedBodyWithoutReaderEnds(t *testing.T) {
	b := New(-1, 10)
	if _, err := b.Fill(context.Background(), strings.NewReader(strings.Repeat("x", 100000))); !errors.Is(err, ErrNoReader) {
		t.Error(err)
	}
}

func TestABrokenSourceBreaksTheReaders(t *testing.T) {
	b := New(-1, 1<<20)
	r, _ := b.Reader(0, -1)
	broken := errors.New("broken")
	if whole, err := b.Fill(context.Background(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))); whole != nil || err != broken {
		t.Error(whole, err)
	}
	if got, err := drain(r); got != "half" || err != broken {
		t.Errorf("%q %v", got, err)
	}
}
