package experiments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// searchSpec is how a search is started: a log, leaves that follow it, and a root before them.
type searchSpec struct {
	name     string // of the topic, and before the names of processes
	shards   int
	replicas int  // of each shard; 1 when 0
	terms    bool // terms are distributed, not documents: one shard
	root     map[string]string
	leaf     map[string]string
	cpus     []int // of leaves; all when empty
}

// searchRig is a search that runs.
type searchRig struct {
	*searchClient
	rig    *rig.Rig
	spec   searchSpec
	kafka  *rig.Proc
	leaves [][]*rig.Proc // by shard
	root   *rig.Proc
}

// searchPrograms are built for real leaves.
func searchPrograms() []string { return []string{"kafka", "searchleaf", "search"} }

// newLog starts the broker of an experiment.
func newLog(ctx context.Context, g *rig.Rig) (*rig.Proc, error) {
	if err := g.Build(ctx, searchPrograms()...); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(g.Dir, "kafka-")
	if err != nil {
		return nil, err
	}
	return g.Service(ctx, "kafka", "kafka", map[string]string{"KAFKA_DATA_DIR": dir, "KAFKA_MAX_SIZE": "8GiB"})
}

// newSearch starts leaves and a root on a log.
func newSearch(ctx context.Context, g *rig.Rig, kafka *rig.Proc, spec searchSpec) (*searchRig, error) {
	spec.replicas = max(spec.replicas, 1)
	s := &searchRig{rig: g, spec: spec, kafka: kafka}
	for shard := range spec.shards {
		var replicas []*rig.Proc
		for n := range spec.replicas {
			p, err := s.leaf(ctx, shard, n)
			if err != nil {
				return nil, err
			}
			replicas = append(replicas, p)
		}
		s.leaves = append(s.leaves, replicas)
	}
	var err error
	if s.root, err = s.rootOver(ctx, spec.name, s.leaves, spec.terms, spec.root); err != nil {
		return nil, err
	}
	s.searchClient = newSearchClient(s.root.Data)
	g.Defer(s.close)
	return s, nil
}

// filledSearch starts a log, leaves and a root in a rig of their own, and brings documents in: 20,000, or 2,000 where it is to be quick. Who
// gets it closes its rig.
func filledSearch(ctx context.Context, r *proof.Report, spec searchSpec) (*searchRig, []searchDocument, error) {
	most := 20_000
	if r.Quick {
		most = 2000
	}
	documents, err := searchCorpus(r.Root, most)
	if err != nil {
		return nil, nil, err
	}
	g := rig.New(r)
	s, err := startFilled(ctx, g, spec, documents)
	if err != nil {
		g.Close()
		return nil, nil, err
	}
	return s, documents, nil
}

// startFilled starts a log, leaves and a root, and brings documents in.
func startFilled(ctx context.Context, g *rig.Rig, spec searchSpec, documents []searchDocument) (*searchRig, error) {
	kafka, err := newLog(ctx, g)
	if err != nil {
		return nil, err
	}
	s, err := newSearch(ctx, g, kafka, spec)
	if err != nil {
		return nil, err
	}
	return s, s.fill(ctx, documents)
}

func (s *searchRig) leaf(ctx context.Context, shard, n int) (*rig.Proc, error) {
	dir, err := os.MkdirTemp(s.rig.Dir, "leaf-")
	if err != nil {
		return nil, err
	}
	env := map[string]string{
		"SEARCHLEAF_KAFKA": s.kafka.Data, "SEARCHLEAF_TOPIC": s.spec.name, "SEARCHLEAF_PARTITION": fmt.Sprint(shard),
		"SEARCHLEAF_PARTITIONS": fmt.Sprint(s.spec.shards), "SEARCHLEAF_DIR": dir,
	}
	for k, v := range s.spec.leaf {
		env[k] = v
	}
	return s.rig.Service(ctx, "searchleaf", fmt.Sprintf("%s-%d-%d", s.spec.name, shard, n), env, s.spec.cpus...)
}

// rootOver starts a root before leaves.
func (s *searchRig) rootOver(ctx context.Context, name string, leaves [][]*rig.Proc, terms bool, env map[string]string) (*rig.Proc, error) {
	var shards []string
	for _, replicas := range leaves {
		shards = append(shards, rig.Upstreams(replicas...))
	}
	distribution := "documents"
	if terms {
		distribution = "terms"
	}
	full := map[string]string{"SEARCH_KAFKA": s.kafka.Data, "SEARCH_DISTRIBUTION": distribution}
	for k, v := range env {
		full[k] = v
	}
	return searchRoot(ctx, s.rig, name+"-root-"+distribution, s.spec.name, shards, full)
}

// searchRoot starts a root before shards, each given by the address of its replicas.
func searchRoot(ctx context.Context, g *rig.Rig, name, topic string, shards []string, env map[string]string) (*rig.Proc, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "topic: %s\nplacement: modulo\nshards:\n", topic)
	for _, s := range shards {
		fmt.Fprintf(&text, "- %q\n", s)
	}
	file := filepath.Join(g.Dir, name+".yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return nil, fmt.Errorf("layout: %w", err)
	}
	full := map[string]string{"SEARCH_LAYOUT_FILE": file, "CHECK_INTERVAL": "200ms"}
	for k, v := range env {
		full[k] = v
	}
	return g.Service(ctx, "search", name, full)
}

// all are the leaves.
func (s *searchRig) all() []*rig.Proc {
	var all []*rig.Proc
	for _, replicas := range s.leaves {
		all = append(all, replicas...)
	}
	return all
}

// stop ends leaves and root; the log goes on.
func (s *searchRig) stop() {
	s.close()
	s.root.Kill()
	for _, p := range s.all() {
		p.Kill()
	}
}

// fill writes documents and waits until all shards have them.
func (s *searchRig) fill(ctx context.Context, documents []searchDocument) error {
	seen, err := s.load(ctx, documents)
	if err != nil {
		return err
	}
	return s.settle(ctx, seen)
}

// leafStatus is what a leaf tells of itself.
type leafStatus struct {
	Epoch     int64 `json:"epoch"`
	Documents int64 `json:"documents"`
	Bytes     int64 `json:"bytes"`
}

func statusOf(ctx context.Context, p *rig.Proc) (leafStatus, error) {
	var s leafStatus
	return s, getJSON(ctx, "http://"+p.Data+"/v1/status", &s)
}
