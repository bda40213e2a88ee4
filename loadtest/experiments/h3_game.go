package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/game"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// The game world: a grid of gameSide × gameSide regions over gameShards shards, with players
// who collect coins all the time while they walk.
const (
	gameSide    = 6
	gameShards  = 4
	gamePlayers = 32
	// handOver is the pause between two steps of a move: the state of a player is not here and
	// there in no time.
	handOver = 2 * time.Millisecond
)

// playersMove lets players walk over the grid while they play.
func playersMove(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "shardproxy"); err != nil {
		return err
	}
	w, shards, s, err := startGame(ctx, g)
	if err != nil {
		return err
	}
	players := play(ctx, w, "http://"+s.Data+"/dig")
	moves, changed := 3000, 0
	if r.Quick {
		moves = 300
	}
	for n := range moves {
		// A player who has just moved is the one whose requests meet the move.
		moved, err := w.Walk(players.all[n%len(players.all)].Player, game.Steps[rand.IntN(len(game.Steps))])
		if err != nil {
			players.end()
			return err
		}
		if moved {
			changed++
		}
	}
	players.end()
	return players.report(ctx, r, w, shards, s, moves, changed)
}

// startGame starts the shards, the atlas, and a proxy before them, and puts every region
// where the proxy says.
func startGame(ctx context.Context, g *rig.Rig) (*game.World, map[string]*game.Shard, *sharder, error) {
	w := &game.World{Side: gameSide, Atlas: &game.Atlas{}, Home: map[string]*game.Shard{}, Between: func() { time.Sleep(handOver) }}
	serve := func(h http.Handler) string {
		server := httptest.NewServer(h)
		g.Defer(server.Close)
		return server.Listener.Addr().String()
	}
	shards, entries := map[string]*game.Shard{}, []string{}
	for n := range gameShards {
		s := &game.Shard{Name: fmt.Sprintf("world-%d", n+1)}
		shards[s.Name] = s
		entries = append(entries, shardEntry(s.Name, 1, serve(s)))
	}
	s, err := shardproxyBefore(ctx, g, "shardproxy-game", append(entries, "key: context:cookie:"+game.Cookie+"\n"), map[string]string{
		"SHARDPROXY_CONTEXT_SERVICE": serve(w.Atlas), "SHARDPROXY_SHARD_LOSS": "fail",
		"SHARDPROXY_CONTEXT_TTL": "1h", // so that only shards tell that somebody has moved
	})
	if err != nil {
		return nil, nil, nil, err
	}
	for _, region := range w.Regions() {
		var place struct{ Owner string }
		if err := getJSON(ctx, "http://"+s.Admin+"/v1/shards?key="+url.QueryEscape(region), &place); err != nil {
			return nil, nil, nil, err
		}
		if w.Home[region] = shards[place.Owner]; w.Home[region] == nil {
			return nil, nil, nil, fmt.Errorf("region %s: there is no shard %q", region, place.Owner)
		}
	}
	return w, shards, s, nil
}

// players are the collectors at work.
type players struct {
	all    []*game.Collector
	client *http.Client
	stop   context.CancelFunc
	work   sync.WaitGroup
}

// play puts the players into the world and lets them collect.
func play(ctx context.Context, w *game.World, url string) *players {
	ctx, stop := context.WithCancel(ctx)
	p := &players{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: gamePlayers}}, stop: stop}
	regions := w.Regions()
	for n := range gamePlayers {
		c := &game.Collector{Player: fmt.Sprintf("player-%d", n+1), Client: p.client, URL: url, Home: w.Home}
		w.Enter(c.Player, regions[n%len(regions)])
		p.all = append(p.all, c)
		p.work.Go(func() { c.Run(ctx) })
	}
	return p
}

// end waits for the requests that were begun.
func (p *players) end() {
	p.stop()
	p.work.Wait()
	p.client.CloseIdleConnections()
}

// report compares what players were told with what the world has.
func (p *players) report(ctx context.Context, r *proof.Report, w *game.World, shards map[string]*game.Shard, s *sharder, moves, changed int) error {
	told, coins, again, failed, wrong, misplaced, unlike := 0, 0, 0, 0, 0, 0, 0
	for _, c := range p.all {
		has, holders := w.Coins(c.Player)
		told, coins, again, failed, wrong, misplaced = told+c.Told, coins+has, again+c.Again, failed+c.Failed, wrong+c.Wrong, misplaced+c.Misplaced
		if has != c.Told || holders != 1 {
			unlike++
		}
		if c.Failed > 0 {
			r.Note("%s: %s", c.Player, c.Last)
		}
	}
	refused := 0
	for _, shard := range shards {
		refused += int(shard.Refused.Load())
	}
	followed, err := counter(ctx, s.Proc, `shardproxy_misdirected_total{then="sent_again"}`)
	if err != nil {
		return err
	}
	of := fmt.Sprintf("of %d", told)
	r.Claim(proof.Exactly("coins in the world, less those that players were told of", coins-told, 0, of))
	r.Claim(proof.Exactly("players who have another number of coins, or are in more or fewer than one shard", unlike, 0, fmt.Sprintf("of %d", len(p.all))))
	r.Claim(proof.Exactly("answers that did not count exactly one coin more", wrong, 0, of))
	r.Claim(proof.Exactly("answers of another shard than that of the player's region", misplaced, 0, of))
	r.Claim(proof.Exactly("requests that failed", failed, 0, of))
	r.Claim(proof.AtLeast("requests that met a move, and were sent again to who had the player then", followed, float64(changed)/2, ""))
	r.Measured("moves between regions", float64(moves), "")
	r.Measured("of them to another shard", float64(changed), "")
	r.Measured("answers 421 of shards", float64(refused), "")
	r.Measured("look-ups that the atlas was asked for", float64(w.Atlas.Asked.Load()), "")
	r.Measured("requests that players had to send again", float64(again), "")
	r.Note("%d players on a grid of %d × %d regions, which %d shards hold; the key is context:cookie:player. Each player sends the next request when the last one is answered. "+
		"A hand-over takes two pauses of %v: the old shard gives the player up, the atlas says where it is, the new shard takes it. What the atlas said serves for an hour: only answers 421 tell of moves.",
		gamePlayers, gameSide, gameSide, gameShards, handOver)
	return nil
}
