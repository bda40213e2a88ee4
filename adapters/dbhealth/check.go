package dbhealth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// checker does one check.
type checker struct {
	cfg    Config
	engine engine
}

// findings are what a check has found out, beside its verdict.
type findings struct {
	version string
	rows    int
	replica bool
	lag     time.Duration
}

// check connects anew, because that is what the next request of an application
// has to do, and asks. ctx bounds the whole; the query and what follows it have
// cfg.Timeout.
func (c checker) check(ctx context.Context, ear *ear) (f findings, err error) {
	defer func() { err = c.explain(ctx, ear, err) }()
	password, err := c.cfg.password()
	if err != nil {
		return f, not(Misconfigured, "DBHEALTH_PASSWORD_FILE cannot be read")
	}
	s, err := c.engine.connect(ctx, c.cfg, password, ear.dial)
	if err != nil {
		return f, err
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if err := s.limit(ctx, c.cfg.Timeout); err != nil {
		return f, err
	}
	if f.version, err = s.version(ctx); err != nil {
		return f, err
	}
	if f.rows, err = c.ask(ctx, s); err != nil {
		return f, err
	}
	return f, c.behind(ctx, s, &f)
}

// ask runs the query and compares the answer with what is expected.
func (c checker) ask(ctx context.Context, s session) (count int, err error) {
	err = s.query(ctx, c.cfg.Query, func(first []byte) error {
		count++
		switch {
		case count > c.cfg.MaxRows:
			return not(Rows, "the query has more than %d rows (DBHEALTH_MAX_ROWS)", c.cfg.MaxRows)
		case count == 1 && c.cfg.Value != "" && string(first) != c.cfg.Value:
			return not(Value, "the first value of the query is not the one of DBHEALTH_VALUE")
		}
		return nil
	})
	if err == nil && count < c.cfg.MinRows {
		err = not(Rows, "the query has %d rows, fewer than %d (DBHEALTH_MIN_ROWS)", count, c.cfg.MinRows)
	}
	return count, err
}

// behind looks how far a replica is behind, where that matters.
func (c checker) behind(ctx context.Context, s session, f *findings) (err error) {
	if c.cfg.MaxLag == 0 {
		return nil
	}
	if f.lag, f.replica, err = s.lag(ctx); err != nil {
		return err
	}
	if f.lag > c.cfg.MaxLag {
		return not(Behind, "the replica is %s behind, more than %s (DBHEALTH_MAX_LAG)", f.lag.Round(time.Millisecond), c.cfg.MaxLag)
	}
	return nil
}

// explain turns every error into a verdict.
func (c checker) explain(ctx context.Context, ear *ear, err error) error {
	var known *verdict
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case ear.refused.Load():
		return not(Refused, "it accepts no connection: it is stopped, or it starts")
	case !ear.heard.Load():
		return not(NoAnswer, "it says nothing")
	}
	if told := c.engine.explain(err); told != nil {
		return told
	}
	late := errors.Is(ctx.Err(), context.DeadlineExceeded) // else it has ended because the check has
	if late || errors.Is(err, context.DeadlineExceeded) {
		return not(TooSlow, "it did not answer within %s (DBHEALTH_TIMEOUT)", c.cfg.Timeout)
	}
	return fmt.Errorf("%w: %w", not(Broken, "the connection broke in the middle of the check"), err)
}
