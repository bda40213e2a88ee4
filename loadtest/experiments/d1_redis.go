package experiments

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// realExporter is the program that redismetrics is compared with, as Debian names it.
const realExporter = "prometheus-redis-exporter"

// tell sends inline commands to a Redis and reads the first line of each answer.
func tell(ctx context.Context, addr string, commands ...string) ([]string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	var answers []string
	for _, c := range commands {
		if _, err := fmt.Fprint(conn, c, "\r\n"); err != nil {
			return nil, err
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		answers = append(answers, strings.TrimSpace(line))
	}
	return answers, nil
}

// livedIn is a master with a replica, to which everything has happened that is a metric.
func livedIn(ctx context.Context, g *rig.Rig) (master, replica *rig.Proc, err error) {
	master, err = g.RedisServer(ctx, "master", "--appendonly", "yes", "--latency-monitor-threshold", "1", "--slowlog-log-slower-than", "0", "--enable-debug-command", "yes", "--maxmemory", "100mb")
	if err != nil {
		return nil, nil, err
	}
	host, port, _ := net.SplitHostPort(master.Data)
	if replica, err = g.RedisServer(ctx, "replica", "--replicaof", host+" "+port); err != nil {
		return nil, nil, err
	}
	commands := []string{"DEBUG POPULATE 10000 key 32", "SELECT 3", "SET other 1", "SELECT 0", "SET short 1 EX 1000", "LPUSH short 1", "WRONG", "DEBUG SLEEP 0.02"}
	// Each command that was ever called has metrics of its own.
	for _, c := range []string{"GET a", "MGET a b", "INCR n", "DECR n", "APPEND t x", "STRLEN t", "RPUSH l a", "LLEN l", "LINDEX l 0", "SADD s a", "SCARD s", "SISMEMBER s a", "HSET h a 1", "HGET h a", "HLEN h", "ZADD z 1 a",
		"ZCARD z", "ZSCORE z a", "EXISTS a", "TTL short", "EXPIRE n 1000", "PERSIST n", "TYPE n", "XADD x * a 1", "XLEN x", "PING", "ECHO a", "DBSIZE", "SETRANGE t 0 y", "GETRANGE t 0 1", "GETDEL t", "PFADD p a", "PFCOUNT p", "BITCOUNT n", "OBJECT ENCODING n"} {
		commands = append(commands, c, c, c)
	}
	for range 100 {
		commands = append(commands, "GET n")
	}
	// Answers of several lines would be taken for those of later commands.
	if _, err := tell(ctx, master.Data, without(commands, "MGET", "HGET", "GETRANGE", "GETDEL", "LINDEX", "ZSCORE", "XADD", "ECHO", "OBJECT", "GET")...); err != nil {
		return nil, nil, err
	}
	for _, c := range commands {
		if strings.HasPrefix(c, "GET") || strings.HasPrefix(c, "MGET") || strings.HasPrefix(c, "HGET") {
			if _, err := tell(ctx, master.Data, c); err != nil {
				return nil, nil, err
			}
		}
	}
	return master, replica, awaitReplica(ctx, master)
}

func without(commands []string, words ...string) []string {
	var kept []string
	for _, c := range commands {
		word, _, _ := strings.Cut(c, " ")
		found := false
		for _, w := range words {
			found = found || w == word
		}
		if !found {
			kept = append(kept, c)
		}
	}
	return kept
}

// awaitReplica waits until the master has its replica.
func awaitReplica(ctx context.Context, master *rig.Proc) error {
	return until(ctx, "the replica follows", func() (bool, error) {
		answers, err := tell(ctx, master.Data, "WAIT 1 100")
		return err == nil && answers[0] == ":1", err
	})
}

// both starts the two exporters before one Redis.
func both(ctx context.Context, g *rig.Rig, redis *rig.Proc) (ours, theirs *rig.Proc, err error) {
	env := map[string]string{"REDISMETRICS_ADDR": redis.Data, "REDISMETRICS_ALLOWED_TARGETS": "127.0.0.1:*"}
	if ours, err = g.Service(ctx, "redismetrics", "redismetrics-"+redis.Spec.Name, env); err != nil {
		return nil, nil, err
	}
	path, err := rig.Find(realExporter)
	if err != nil {
		return nil, nil, err
	}
	addr, err := rig.Addr()
	if err != nil {
		return nil, nil, err
	}
	theirs, err = g.Start(ctx, rig.Spec{Name: "redis_exporter-" + redis.Spec.Name, Path: path, Args: []string{"-redis.addr", "redis://" + redis.Data, "-web.listen-address", addr}, Probe: "tcp:" + addr})
	if err != nil {
		return nil, nil, err
	}
	theirs.Data = addr
	return ours, theirs, nil
}
