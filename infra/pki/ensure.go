package pki

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// A Store keeps bundles by name.
type Store interface {
	// Load returns ErrAbsent when there is no such bundle, and ErrForeign when
	// there is one that somebody else made and that is not to be touched.
	Load(ctx context.Context, name string) (Bundle, error)
	// Save replaces a bundle as a whole. ErrConflict means that somebody else
	// wrote between Load and Save.
	Save(ctx context.Context, name string, b Bundle) error
}

// What a Store may answer, to be compared with errors.Is.
var (
	ErrAbsent   = errors.New("absent")
	ErrForeign  = errors.New("not made by this program")
	ErrConflict = errors.New("changed by somebody else meanwhile")
)

// Report says what became of one certificate.
type Report struct {
	Name   string    `json:"name"`
	Action string    `json:"action"` // kept, made, renewed or left alone
	Reason string    `json:"reason,omitempty"`
	Expiry time.Time `json:"expiry"`
}

// attempts bounds how often Ensure begins anew after a conflict. Every conflict
// means that another writer succeeded, so two are enough for two writers.
const attempts = 5

// Ensure brings the store to what the plan asks for.
func Ensure(ctx context.Context, store Store, plan Plan) ([]Report, error) {
	if err := plan.validate(); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		e := ensurer{ctx: ctx, store: store, plan: plan, now: plan.now()}
		reports, err := e.all()
		if !errors.Is(err, ErrConflict) || attempt == attempts {
			return reports, err
		}
	}
}

// ensurer is one walk over the plan, at one moment.
type ensurer struct {
	ctx     context.Context
	store   Store
	plan    Plan
	now     time.Time
	reports []Report
}

func (e *ensurer) all() ([]Report, error) {
	development, err := e.authority(DevelopmentCA, "Flotilla development CA")
	if err != nil {
		return nil, err
	}
	internal, err := e.authority(InternalCA, "Flotilla internal CA")
	if err != nil {
		return nil, err
	}
	authorities := map[string]pair{DevelopmentCA: development, InternalCA: internal}
	for _, r := range e.plan.requests() {
		if err := e.certificate(r, authorities[r.authority], encodeCert(internal.cert.Raw)); err != nil {
			return nil, err
		}
	}
	for _, name := range e.plan.Secrets {
		if err := e.secret(secretsPrefix + name); err != nil {
			return nil, err
		}
	}
	return e.reports, nil
}

// secretSize is the entropy of a random secret in bytes.
const secretSize = 32

// secret makes a random secret, a line of hexadecimal text, where there is none. One that exists is never
// replaced: whoever wants another one deletes it.
func (e *ensurer) secret(name string) error {
	b, err := e.store.Load(e.ctx, name)
	action, reason := "made", ""
	switch {
	case errors.Is(err, ErrForeign):
		e.reports = append(e.reports, Report{Name: name, Action: "left alone", Reason: err.Error()})
		return nil
	case err == nil && len(b.Random) >= 2*secretSize:
		e.reports = append(e.reports, Report{Name: name, Action: "kept"})
		return nil
	case err == nil:
		action, reason = "renewed", "it is too short"
	case !errors.Is(err, ErrAbsent):
		return fmt.Errorf("load %s: %w", name, err)
	}
	random := make([]byte, secretSize)
	rand.Read(random) // never fails, by its documentation
	text := hex.EncodeToString(random) + "\n"
	if err := e.store.Save(e.ctx, name, Bundle{Random: []byte(text)}); err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	e.reports = append(e.reports, Report{Name: name, Action: action, Reason: reason})
	return nil
}

// authority returns the pair of an authority, made anew where needed.
func (e *ensurer) authority(name, title string) (pair, error) {
	b, err := e.store.Load(e.ctx, name)
	action, reason := "made", ""
	switch {
	case err == nil:
		p, err := b.parse()
		if err != nil {
			action, reason = "renewed", err.Error()
			break
		}
		if reason = p.flawAuthority(e.plan.permitted(name), e.now); reason == "" {
			e.report(name, "kept", "", p)
			return p, nil
		}
		action = "renewed"
	case !errors.Is(err, ErrAbsent):
		return pair{}, fmt.Errorf("load %s: %w", name, err)
	}
	b, err = issueAuthority(title, e.plan.permitted(name), e.now, e.plan.CALifetime)
	if err != nil {
		return pair{}, err
	}
	return e.save(name, b, action, reason)
}

func (e *ensurer) certificate(r request, authority pair, internal []byte) error {
	b, err := e.store.Load(e.ctx, r.name)
	action, reason := "made", ""
	switch {
	case errors.Is(err, ErrForeign):
		e.reports = append(e.reports, Report{Name: r.name, Action: "left alone", Reason: err.Error()})
		return nil
	case err == nil:
		p, err := b.parse()
		if err != nil {
			action, reason = "renewed", err.Error()
			break
		}
		if reason = p.flaw(b, authority.cert, internal, r.hosts, e.now); reason == "" {
			e.report(r.name, "kept", "", p)
			return nil
		}
		action = "renewed"
	case !errors.Is(err, ErrAbsent):
		return fmt.Errorf("load %s: %w", r.name, err)
	}
	b, err = issue(r.name, r.hosts, authority, e.now, e.plan.Lifetime)
	if err != nil {
		return err
	}
	b.Internal = internal
	_, err = e.save(r.name, b, action, reason)
	return err
}

func (e *ensurer) save(name string, b Bundle, action, reason string) (pair, error) {
	if err := e.store.Save(e.ctx, name, b); err != nil {
		return pair{}, fmt.Errorf("save %s: %w", name, err)
	}
	p, err := b.parse()
	if err != nil {
		return pair{}, fmt.Errorf("read back %s: %w", name, err)
	}
	e.report(name, action, reason, p)
	return p, nil
}

func (e *ensurer) report(name, action, reason string, p pair) {
	e.reports = append(e.reports, Report{Name: name, Action: action, Reason: reason, Expiry: p.cert.NotAfter})
}

// Show reports what a store holds and what Ensure would renew. It changes
// nothing.
func Show(ctx context.Context, store Store, plan Plan) ([]Report, error) {
	names := []string{DevelopmentCA, InternalCA}
	for _, r := range plan.requests() {
		names = append(names, r.name)
	}
	var reports []Report
	for _, name := range plan.Secrets {
		names = append(names, secretsPrefix+name)
	}
	for _, name := range names {
		r := Report{Name: name, Action: "good"}
		b, err := store.Load(ctx, name)
		if err != nil && !errors.Is(err, ErrAbsent) && !errors.Is(err, ErrForeign) {
			return nil, err
		}
		if err == nil && len(b.Random) > 0 {
			reports = append(reports, r)
			continue
		}
		p, broken := b.parse()
		switch {
		case err != nil:
			r.Action = err.Error()
		case broken != nil:
			r.Action, r.Reason = "to be renewed", broken.Error()
		default:
			r.Expiry = p.cert.NotAfter
			if expiring(p.cert, plan.now()) {
				r.Action, r.Reason = "to be renewed", "less than a third of its lifetime is left"
			}
		}
		reports = append(reports, r)
	}
	return reports, nil
}
