package experiments

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

var (
	typeLine = regexp.MustCompile(`^# TYPE (redis_\S+) (\S+)`)
	labelOf  = regexp.MustCompile(`([a-z_]+)="`)
)

// familiesOf reads metrics as name → type and labels.
func familiesOf(text io.Reader) (map[string]string, error) {
	kinds, labels := map[string]string{}, map[string]map[string]bool{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := typeLine.FindStringSubmatch(lines.Text()); m != nil {
			kinds[m[1]], labels[m[1]] = m[2], map[string]bool{}
			continue
		}
		end := strings.IndexAny(lines.Text(), "{ ")
		if !strings.HasPrefix(lines.Text(), "redis_") || end < 0 {
			continue
		}
		name := lines.Text()[:end]
		for _, suffix := range []string{"_sum", "_count", "_bucket"} {
			if base := strings.TrimSuffix(name, suffix); labels[name] == nil && labels[base] != nil {
				name = base
			}
		}
		for _, m := range labelOf.FindAllStringSubmatch(lines.Text()[end:], -1) {
			if labels[name] != nil && m[1] != "quantile" && m[1] != "le" {
				labels[name][m[1]] = true
			}
		}
	}
	all := map[string]string{}
	for name, kind := range kinds {
		all[name] = kind + "(" + strings.Join(slices.Sorted(maps.Keys(labels[name])), ",") + ")"
	}
	return all, lines.Err()
}

func fetchFamilies(ctx context.Context, url string) (map[string]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return familiesOf(resp.Body)
}

func sameFamilies(ctx context.Context, r *proof.Report) error {
	if err := rig.Need("redis-server", realExporter); err != nil {
		return err
	}
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "redismetrics"); err != nil {
		return err
	}
	master, replica, err := livedIn(ctx, g)
	if err != nil {
		return err
	}
	cluster, err := g.RedisServer(ctx, "cluster", "--cluster-enabled", "yes", "--cluster-config-file", "cluster.conf")
	if err != nil {
		return err
	}
	if _, err := tell(ctx, cluster.Data, "CLUSTER ADDSLOTSRANGE 0 16383"); err != nil {
		return err
	}
	var extra []string
	for _, redis := range []*rig.Proc{master, replica, cluster} {
		ours, theirs, err := both(ctx, g, redis)
		if err != nil {
			return err
		}
		want, err := fetchFamilies(ctx, "http://"+theirs.Data+"/metrics")
		if err != nil {
			return err
		}
		got, err := fetchFamilies(ctx, "http://"+ours.Data+"/metrics")
		if err != nil {
			return err
		}
		different := 0
		for name, shape := range want {
			if got[name] != shape {
				different++
				r.Note("%s of the %s: theirs is %s, ours %q", name, redis.Spec.Name, shape, got[name])
			}
		}
		for name := range got {
			if want[name] == "" && !slices.Contains(extra, name) {
				extra = append(extra, name)
			}
		}
		r.Measured("families of redis_exporter, "+redis.Spec.Name, float64(len(want)), "families")
		r.Claim(proof.Exactly("of these missing or different here", different, 0, "families"))
	}
	slices.Sort(extra)
	r.Note("Only here: %s.", strings.Join(extra, ", "))
	return nil
}
