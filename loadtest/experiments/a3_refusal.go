package experiments

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// refusal takes the database away in three ways.
func refusal(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	servers, err := store(ctx, g, 2)
	if err != nil {
		return err
	}
	broker, file, err := brokered(ctx, g, "broker", nil)
	if err != nil {
		return err
	}
	if err := refused(ctx, r, broker, "nobody names one"); err != nil {
		return err
	}
	if err := aim(file, servers[0].Data+","+servers[1].Data); err != nil {
		return err
	}
	if err := begins(ctx, broker.Data, "mysql-a"); err != nil {
		return err
	}
	// The first one hangs: the kernel accepts, nobody greets.
	if err := syscall.Kill(servers[0].PID(), syscall.SIGSTOP); err != nil {
		return err
	}
	began := time.Now()
	name, err := fresh(ctx, broker.Data)
	if err != nil || name != "mysql-b" {
		return fmt.Errorf("with the first one hanging, %q answers: %w", name, err)
	}
	r.Claim(proof.AtMost("the first of two hangs: time of the first connection, to the second", milliseconds(time.Since(began)), 2000, "ms"))
	if err := downs(ctx, broker, 1); err != nil {
		return err
	}
	began = time.Now()
	if _, err := fresh(ctx, broker.Data); err != nil {
		return err
	}
	r.Claim(proof.AtMost("and of one after it was noticed", milliseconds(time.Since(began)), 100, "ms"))
	servers[1].Kill()
	if err := downs(ctx, broker, 2); err != nil {
		return err
	}
	if err := refused(ctx, r, broker, "one hangs and one is dead"); err != nil {
		return err
	}
	if err := syscall.Kill(servers[0].PID(), syscall.SIGCONT); err != nil {
		return err
	}
	began = time.Now()
	for {
		if _, err := fresh(ctx, broker.Data); err == nil {
			break
		}
		if time.Since(began) > 30*time.Second {
			return errors.New("the database that goes on is not found again")
		}
	}
	r.Claim(proof.AtMost("the hanging one goes on: time until connections reach it", milliseconds(time.Since(began)), 2000, "ms"))
	return nil
}

// refused measures how soon clients are told.
func refused(ctx context.Context, r *proof.Report, broker *rig.Proc, when string) error {
	latency := &hist.Histogram{}
	text := ""
	for range 100 {
		began := time.Now()
		_, err := fresh(ctx, broker.Data)
		latency.Record(time.Since(began))
		var e *mysql.MySQLError
		if !errors.As(err, &e) || e.Number != 1429 {
			return fmt.Errorf("%s: the client gets %v, want error 1429", when, err)
		}
		text = e.Message
	}
	r.Claim(proof.AtMost(when+": time until a client is told, p99 of 100", milliseconds(latency.Quantile(0.99)), 50, "ms"))
	r.Note("%s: the client reads %q", when, text)
	return nil
}

// downs waits until the broker knows that so many are down.
func downs(ctx context.Context, broker *rig.Proc, n int) error {
	return until(ctx, fmt.Sprintf("the broker knows that %d are down", n), func() (bool, error) {
		v, err := brokerStatus(ctx, broker)
		down := 0
		for _, t := range v.Targets {
			if t.Health == "down" {
				down++
			}
		}
		return down == n, err
	})
}
