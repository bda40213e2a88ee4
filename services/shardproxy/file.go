package shardproxy

import (
	"github.com/flotilla-dev/flotilla/internal/country"
	"github.com/flotilla-dev/flotilla/services/shardproxy/reshard"
)

// first loads the file that is there at the start. Without shards there is nothing to do,
// so a file that is missing or wrong is an error.
func (p *proxy) first(text []byte) error {
	l, err := p.parse(text)
	if err != nil {
		return err
	}
	placement, err := l.Place()
	if err != nil {
		return err
	}
	return p.apply(placement, "file", "")
}

// reload plans the new content of the file, tells what will move, and applies it; or keeps
// what is at work and says why.
func (p *proxy) reload(text []byte) {
	next, plan, err := p.plan(text)
	if err == nil {
		p.announce(plan, "file")
		err = p.apply(next, "file", "")
	}
	p.mu.Lock()
	p.broken = err
	p.mu.Unlock()
	if err != nil {
		p.metrics.changes.WithLabelValues("file", "refused").Inc()
		p.log.Error("shards not taken, keeping those of before", "file", p.cfg.ConfigFile, "error", err)
		return
	}
	p.metrics.changes.WithLabelValues("file", "applied").Inc()
	p.log.Info("shards taken", "file", p.cfg.ConfigFile, "layout", p.table.Load().id)
}

// locateBy takes new countries, or keeps those of before and says why. Requests that have
// begun keep to theirs.
func (p *proxy) locateBy(countries *country.Table, err error) {
	if err != nil {
		p.metrics.countries.WithLabelValues("refused").Inc()
		p.log.Error("countries not taken, keeping those of before", "file", p.cfg.CountryFile, "error", err)
		return
	}
	p.changing.Lock()
	defer p.changing.Unlock()
	p.countries = countries
	next := *p.table.Load()
	if next.key.UsesCountry() {
		next.key = next.key.In(countries)
		p.table.Store(&next)
	}
	p.metrics.countries.WithLabelValues("applied").Inc()
	p.log.Info("countries taken", "file", p.cfg.CountryFile, "stretches", countries.Len())
}

// announce writes what a change moves in the log, before it does.
func (p *proxy) announce(plan *reshard.Plan, source string) {
	attributes := []any{"source", source, "from", plan.From.String(), "to", plan.To.String(), "notes", plan.Notes,
		"synthetic_moved_share", plan.Synthetic.MovedShare, "moved_needlessly", plan.Synthetic.Needless}
	if plan.Recent != nil {
		attributes = append(attributes, "recent_keys", float64(plan.Recent.Keys)*plan.Recent.StandFor,
			"recent_moved_share", plan.Recent.MovedShare, "requests_moved_share", plan.Recent.RequestsShare)
	}
	p.log.Info("about to reshard", attributes...)
}
