package nutcracker

import (
	"strings"
	"testing"
)

func TestPoolsAreServedByKind(t *testing.T) {
	t.Parallel()
	redis, memcached := Pool{Name: "r", Redis: true}, Pool{Name: "m"}
	for _, one := range []struct {
		pools []Pool
		redis bool
		want  string // the name of the only one, or the error
	}{
		{[]Pool{redis, memcached}, true, "r"},
		{[]Pool{redis, memcached}, false, "m"},
		{[]Pool{memcached}, true, "no pool has redis: true, and memcached is not served here"},
		{[]Pool{redis}, false, "every pool has redis: true, and Redis is not served here"},
	} {
		got, err := Of(one.pools, one.redis)
		if err == nil && (len(got) != 1 || got[0].Name != one.want) || err != nil && err.Error() != one.want {
			t.Errorf("%v, %v, want %s", got, err, one.want)
		}
	}
}

func TestListenersStayThoseOfTheStart(t *testing.T) {
	t.Parallel()
	before := []Pool{{Name: "a", Listen: "h:1"}, {Name: "b", Listen: "h:2"}}
	for want, after := range map[string][]Pool{
		"":                                {{Name: "a", Listen: "h:1", Hash: "md5"}, {Name: "b", Listen: "h:2"}},
		"1 pools to serve instead of 2":   before[:1],
		"pool a on h:3 was pool a on h:1": {{Name: "a", Listen: "h:3"}, before[1]},
		"pool c on h:2 was pool b on h:2": {before[0], {Name: "c", Listen: "h:2"}},
	} {
		err := SameListeners(before, after)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
