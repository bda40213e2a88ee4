package experiments

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// workers is how many clients query at a time.
const workers = 16

// move moves the database to and fro under a pool of readers and writers. Both
// servers have one store, so that what is written can be counted in the end.
func move(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	servers, err := store(ctx, g, 2)
	if err != nil {
		return err
	}
	broker, file, err := brokered(ctx, g, "broker", map[string]string{"BROKER_DRAIN": "10s"})
	if err != nil {
		return err
	}
	if err := aim(file, servers[0].Data); err != nil {
		return err
	}
	if err := begins(ctx, broker.Data, "mysql-a"); err != nil {
		return err
	}
	db, err := database(broker.Data, time.Second, workers)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE TABLE moves (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL)"); err != nil {
		return err
	}
	l := &queries{db: db}
	stop := l.start(ctx)
	var worst time.Duration
	moves := int(r.Span(20, 4))
	for i := range moves {
		to := servers[(i+1)%2]
		if err := aim(file, to.Data); err != nil {
			stop()
			return err
		}
		took, err := follows(ctx, broker.Data, to.Spec.Name)
		if err != nil {
			stop()
			return err
		}
		worst = max(worst, took)
		if err := retry.Sleep(ctx, 1500*time.Millisecond); err != nil { // every connection of the pool grows old
			stop()
			return err
		}
	}
	stop()
	if err := l.report(ctx, r, broker, moves, worst); err != nil {
		return err
	}
	return drain(ctx, r, g, servers)
}

func (l *queries) report(ctx context.Context, r *proof.Report, broker *rig.Proc, moves int, worst time.Duration) error {
	var rows int
	if err := l.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM moves").Scan(&rows); err != nil {
		return err
	}
	r.Claim(proof.AtMost(fmt.Sprintf("time until new connections reach the new database, worst of %d moves", moves), milliseconds(worst), 1000, "ms"))
	r.Claim(proof.Exactly("queries that failed in the pool", int(l.failed.Load()), 0, fmt.Sprintf("of %d", l.good.Load()+l.failed.Load())))
	r.Claim(proof.Exactly("rows that were acknowledged and are not there", int(l.written.Load())-rows, 0, fmt.Sprintf("of %d", l.written.Load())))
	if l.reason.Load() != nil {
		r.Note("one query failed with: %v", l.reason.Load())
	}
	s, err := brokerStatus(ctx, broker)
	if err != nil {
		return err
	}
	r.Claim(proof.Exactly("connections that had to be cut, though the pool lets none grow older than a second", s.Connections.Cut, 0, fmt.Sprintf("of %d drained", s.Connections.Cut+s.Connections.Finished)))
	return nil
}

// drain moves away from a connection that its client keeps for ever.
func drain(ctx context.Context, r *proof.Report, g *rig.Rig, servers []*rig.Proc) error {
	const limit = 3 * time.Second
	broker, file, err := brokered(ctx, g, "broker-drain", map[string]string{"BROKER_DRAIN": limit.String()})
	if err != nil {
		return err
	}
	if err := aim(file, servers[0].Data); err != nil {
		return err
	}
	db, err := database(broker.Data, 0, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := begins(ctx, broker.Data, "mysql-a"); err != nil {
		return err
	}
	kept, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer kept.Close()
	if err := aim(file, servers[1].Data); err != nil {
		return err
	}
	if _, err := follows(ctx, broker.Data, "mysql-b"); err != nil {
		return err
	}
	began, answered := time.Now(), 0
	for time.Since(began) < 2*limit {
		var name string
		if kept.QueryRowContext(ctx, "SELECT @@hostname").Scan(&name) != nil {
			break
		}
		answered++
	}
	lived := time.Since(began)
	r.Claim(proof.Within("life of an open connection after the move (BROKER_DRAIN)", lived.Seconds(), limit.Seconds(), 0.2, "s"))
	r.Measured("queries that it was answered meanwhile", float64(answered), "")
	return nil
}

// queries is a pool's load: each worker writes a row and reads one.
type queries struct {
	db                    *sql.DB
	good, failed, written atomic.Int64
	reason                atomic.Value
}

func (l *queries) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				l.once(n)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

func (l *queries) once(n int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if n%4 == 0 {
		if _, err := l.db.ExecContext(ctx, "INSERT INTO moves (n) VALUES (?)", n); l.count(err) {
			l.written.Add(1)
		}
		return
	}
	var highest sql.NullInt64
	l.count(l.db.QueryRowContext(ctx, "SELECT MAX(id) FROM moves").Scan(&highest))
}

func (l *queries) count(err error) bool {
	if err != nil {
		l.failed.Add(1)
		l.reason.Store(err.Error())
		return false
	}
	l.good.Add(1)
	return true
}

// brokerView is what GET /v1/target tells.
type brokerView struct {
	Targets []struct {
		Health string `json:"health"`
	} `json:"targets"`
	Connections struct {
		Finished int `json:"drained_finished"`
		Cut      int `json:"drained_cut"`
	} `json:"connections"`
}

func brokerStatus(ctx context.Context, broker *rig.Proc) (v brokerView, err error) {
	return v, getJSON(ctx, "http://"+broker.Admin+"/v1/target", &v)
}
