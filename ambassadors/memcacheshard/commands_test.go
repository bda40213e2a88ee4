package memcacheshard

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestUnknownAndWrongCommandsAreAnsweredAndTheConnectionStays(t *testing.T) {
	t.Parallel()
	c := dial(t, before(t, fakes(t, 3), nil).data)
	const bad = "CLIENT_ERROR bad command line format\r\n"
	long := strings.Repeat("k", 251)
	for command, want := range map[string]string{
		"":                                       "ERROR\r\n",
		"nonsense":                               "ERROR\r\n",
		"GET a":                                  "ERROR\r\n",
		"get":                                    "ERROR\r\n",
		"gat 5":                                  "ERROR\r\n",
		"gat x a":                                "CLIENT_ERROR invalid exptime argument\r\n",
		"set a 0 0":                              "ERROR\r\n",
		"set a x 0 11\r\ndelete safe":            bad,
		"set a 0 x 11\r\ndelete safe":            bad,
		"set " + long + " 0 0 11\r\ndelete safe": bad,
		"set a\tb 0 0 11\r\ndelete safe":         bad,
		"set a\x00 0 0 11\r\ndelete safe":        bad,
		"cas a 0 0 11 x\r\ndelete safe":          bad,
		"set a 0 0 2\r\nabdelete safe":           "CLIENT_ERROR bad data chunk\r\n",
		"ms a 2\r\nabdelete safe":                "CLIENT_ERROR bad data chunk\r\n",
		"ms a":                                   bad,
		"ms ??? 11 b\r\ndelete safe":             "CLIENT_ERROR error decoding key\r\n",
		"get " + long:                            bad,
		"get a " + long:                          bad,
		"get a\x01":                              bad,
		"delete":                                 "ERROR\r\n",
		"delete a 5":                             bad[:len(bad)-2] + ".  Usage: delete <key> [noreply]\r\n",
		"delete " + long:                         bad,
		"incr a":                                 "ERROR\r\n",
		"incr a x":                               "CLIENT_ERROR invalid numeric delta argument\r\n",
		"touch a x":                              "CLIENT_ERROR invalid exptime argument\r\n",
		"mg":                                     "ERROR\r\n",
		"mg " + long:                             bad,
		"mg a" + strings.Repeat(" v", 18):        "CLIENT_ERROR options flags too long\r\n",
		"mx a":                                   "ERROR\r\n",
		"flush_all":                              "CLIENT_ERROR flush_all not allowed\r\n",
		"flush_all x":                            "CLIENT_ERROR invalid exptime argument\r\n",
		"verbosity x":                            bad,
		"shutdown":                               "ERROR\r\n",
		"cache_memlimit 8":                       "ERROR\r\n",
		"stats slabs":                            "ERROR\r\n",
		"watch":                                  "ERROR\r\n",
	} {
		c.expect(command+"\r\n", want)
	}
	c.expect("set safe 0 0 1\r\n1\r\nget safe\r\n", "STORED\r\nVALUE safe 0 1\r\n1\r\nEND\r\n")
}

func TestWhereTheNextCommandCannotBeFoundTheConnectionEnds(t *testing.T) {
	t.Parallel()
	r := before(t, fakes(t, 1), nil)
	for command, want := range map[string]string{
		"set a 0 0 x\r\nflush_all\r\n":               "CLIENT_ERROR bad data length: the next command cannot be found",
		"set a 0 0 -1\r\nflush_all\r\n":              "CLIENT_ERROR bad data length: the next command cannot be found",
		"ms a x\r\nflush_all\r\n":                    "CLIENT_ERROR bad data length: the next command cannot be found",
		"delete " + strings.Repeat("k", 4<<10):       "CLIENT_ERROR line too long",
		"get " + strings.Repeat("kkkkkkk ", 160<<10): "CLIENT_ERROR line too long",
		"GET / HTTP/1.1\r\n":                         "closed",
		"quit\r\nget a\r\n":                          "closed",
	} {
		c := dial(t, r.data)
		go c.Write([]byte(command)) // it may be cut off in the middle
		if got := c.line(); got != want {
			t.Errorf("%.30q: %q, want %q", command, got, want)
		}
		if got := c.line(); got != "closed" {
			t.Errorf("%.30q: and then %q", command, got)
		}
	}
}

func TestRetrievalsOfManyKeysAreMergedIntoOneAnswer(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 3)
	c := dial(t, before(t, servers, nil).data)
	var keys []string
	for i := range 300 {
		key := fmt.Sprintf("key-%d", i)
		keys = append(keys, key, "none-"+key)
		c.expect(fmt.Sprintf("set %s 7 0 %d\r\n%s\r\n", key, len(key), key), "STORED\r\n")
	}
	for _, command := range []string{"get ", "gets ", "gat 60 ", "gats 60 "} {
		answer := c.ask(command + strings.Join(keys, " ") + "\r\n")
		if strings.Count(answer, "VALUE ") != 300 || strings.Count(answer, "END\r\n") != 1 || !strings.HasSuffix(answer, "END\r\n") {
			t.Errorf("%s: %d values, %d ends", command, strings.Count(answer, "VALUE "), strings.Count(answer, "END\r\n"))
		}
		for i := range 300 {
			if want := fmt.Sprintf("VALUE key-%d 7 ", i); !strings.Contains(answer, want) {
				t.Errorf("%s lacks %q", command, want)
			}
		}
	}
	for i, s := range servers {
		if s.Seen("get ") == 0 || s.Seen("get ") > 20 {
			t.Errorf("server %d was asked %d times", i, s.Seen("get "))
		}
	}
	c.expect("get none-1 none-2 none-3\r\n", "END\r\n")
}

func TestPipelinesKeepTheirOrderOverAllShards(t *testing.T) {
	t.Parallel()
	c := dial(t, before(t, fakes(t, 5), map[string]string{"MEMCACHESHARD_PIPELINE": "10"}).data)
	var commands, want strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&commands, "set k%d 0 0 4\r\n%04d\r\nget k%d\r\nnonsense\r\nget k%d none\r\n", i, i, i, i)
		fmt.Fprintf(&want, "STORED\r\nVALUE k%d 0 4\r\n%04d\r\nEND\r\nERROR\r\nVALUE k%d 0 4\r\n%04d\r\nEND\r\n", i, i, i, i)
	}
	go io.WriteString(c, commands.String()+"version\r\n") // a failure shows in the answers
	for i, line := range strings.SplitAfter(want.String()+"VERSION 1.6.18\r\n", "\r\n") {
		if got := c.line() + "\r\n"; line != "" && got != line {
			t.Fatalf("line %d is %q, want %q", i, got, line)
		}
		if line == "VERSION 1.6.18\r\n" {
			break
		}
	}
}

func TestNoReplyIsSilentAndDone(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 3)
	c := dial(t, before(t, servers, map[string]string{"MEMCACHESHARD_FLUSH_ALL": "on"}).data)
	c.expect("set a 0 0 1 noreply\r\n1\r\nadd a 0 0 1 noreply\r\n2\r\nappend a 0 0 1 noreply\r\n0\r\nincr a 5 noreply\r\ntouch a 0 noreply\r\nget a\r\n", "VALUE a 0 2\r\n15\r\nEND\r\n")
	c.expect("set a x 0 1 noreply\r\n1\r\nincr a x noreply\r\nverbosity 1 noreply\r\nset big 0 0 2000000 noreply\r\n"+strings.Repeat("x", 2000000)+"\r\n", "")
	c.expect("delete a noreply\r\ndelete b 0 noreply\r\nget a\r\n", "END\r\n")
	c.expect("set a 0 0 1\r\n1\r\nflush_all noreply\r\nget a\r\n", "STORED\r\nEND\r\n")
	for _, s := range servers {
		if n := s.Seen("set a 0 0 1 noreply"); n > 0 {
			t.Error("noreply reached a server: its silence cannot be told from a lost answer")
		}
	}
}

func TestAQuietMetaPipelineKeepsItsMeaning(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 3)
	c := dial(t, before(t, servers, nil).data)
	c.expect("ms b 1 q\r\n2\r\nms b 1 ME q k\r\n3\r\nms c 1 O7\r\n3\r\n", "NS kb\r\nHD O7\r\n")
	c.expect("mg a v q k O1\r\nmg b v q k O2\r\nmg c v q k O3\r\nmg d q k O4\r\n", "VA 1 kb O2\r\n2\r\nVA 1 kc O3\r\n3\r\n")
	c.expect("md a q\r\nmd b q\r\nmd c\r\nma n q\r\n", "NF\r\nHD\r\nNF\r\n")
	c.expect("mn\r\nmg none\r\n", "") // the first MN ends the question
	if got := c.line() + c.line(); got != "ENMN" {
		t.Errorf("after a barrier: %q", got)
	}
	for _, s := range servers {
		if s.Seen("mg a v q") > 0 {
			t.Error("q reached a server")
		}
	}
}

func TestABinaryKeyIsTheKeyThatItStandsFor(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 5)
	r := before(t, servers, nil)
	c := dial(t, r.data)
	c.expect("mg Zm9v b v\r\n", "EN\r\n") // foo
	for i, s := range servers {
		want := 0
		if strings.Contains(get(t, "http://"+r.admin+"/shards?key=foo"), fmt.Sprintf(`"s%d"`, i)) {
			want = 1
		}
		if s.Seen("mg Zm9v b v") != want {
			t.Errorf("server %d was asked %d times, want %d", i, s.Seen("mg Zm9v b v"), want)
		}
	}
}

func TestLocalCommands(t *testing.T) {
	t.Parallel()
	c := dial(t, before(t, fakes(t, 2), map[string]string{"MEMCACHESHARD_FLUSH_ALL": "on"}).data)
	c.expect("version\r\nverbosity 1\r\nflush_all\r\nflush_all 10\r\n", "VERSION 1.6.18\r\nOK\r\nOK\r\nOK\r\n")
	stats := c.ask("stats\r\n")
	for _, line := range []string{"STAT server memcacheshard", "STAT pool memcached", "STAT curr_connections 1", "STAT cmd_flush_all 2", "STAT shard_s0 live", "STAT shard_s1 live"} {
		if !strings.Contains(stats, line+"\r\n") {
			t.Errorf("stats lack %q: %s", line, stats)
		}
	}
	if !strings.HasSuffix(stats, "END\r\n") {
		t.Errorf("stats end with %q", stats[len(stats)-10:])
	}
}

func TestAValueThatIsTooLargeTakesTheOldOneWithIt(t *testing.T) {
	t.Parallel()
	c := dial(t, before(t, fakes(t, 3), map[string]string{"MEMCACHESHARD_MAX_ITEM": "1KiB"}).data)
	large := strings.Repeat("x", 1025)
	for _, command := range []string{"set a 0 0 1025\r\n", "ms a 1025\r\n", "ms a 1025 q\r\n"} {
		c.expect("set a 0 0 1\r\n1\r\n"+command+large+"\r\nget a\r\n", "STORED\r\nSERVER_ERROR object too large for cache\r\nEND\r\n")
	}
	c.expect("set a 0 0 1024\r\n"+large[:1024]+"\r\n", "STORED\r\n")
}
