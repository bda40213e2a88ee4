package command

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// TestRealRedisHasItsKeysInTheSamePlaces compares the table with what the real
// Redis says of itself.
func TestRealRedisHasItsKeysInTheSamePlaces(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: realRedis(t)})
	defer client.Close()
	theirs, err := client.Command(ctx).Result()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for name, ours := range table {
		their := theirs[strings.ToLower(name)]
		if their == nil || ours.first == 0 {
			continue // newer than this Redis, or its keys are found otherwise
		}
		compared++
		if int(their.FirstKeyPos) != ours.first || int(their.LastKeyPos) != ours.last || int(their.StepCount) != ours.step {
			if ours.Kind != Session { // MULTI and the like have none
				t.Errorf("%s: keys %d to %d every %d, Redis says %d to %d every %d", name, ours.first, ours.last, ours.step, their.FirstKeyPos, their.LastKeyPos, their.StepCount)
			}
		}
		if their.ReadOnly && ours.Write {
			t.Errorf("%s does not write", name)
		}
		if !their.ReadOnly && !ours.Write && ours.Kind == Keyed {
			t.Errorf("%s writes", name)
		}
	}
	for name := range theirs {
		name = strings.ToUpper(name)
		if table[name] == nil && !strings.HasPrefix(name, "PF") && name != "RESTORE-ASKING" && name != "REPLCONF" {
			t.Errorf("%s is missing: say what is done with it", name)
		}
	}
	t.Logf("%d commands compared with Redis's own account of them", compared)
}

func realRedis(t *testing.T) string {
	t.Helper()
	return realserver.Redis(t, "the table of commands is NOT compared with its own here")
}
