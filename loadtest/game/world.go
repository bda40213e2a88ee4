package game

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// Cookie names the player of a request.
const Cookie = "player"

// A Player is what its shard keeps of it.
type Player struct {
	Region string `json:"region"`
	Coins  int    `json:"coins"`
}

// A Found is the answer to a player who collected a coin.
type Found struct {
	Player
	Shard string `json:"shard"`
}

// A Shard holds the players of its regions. It is their server.
type Shard struct {
	Name    string
	Refused atomic.Int64 // requests for players that it does not hold

	mu      sync.Mutex // guards players, and is held while one of them is served
	players map[string]*Player
}

// ServeHTTP gives the player of the request a coin.
func (s *Shard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(Cookie)
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "want POST with the cookie of a player", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	p := s.players[cookie.Value]
	found := Found{Shard: s.Name}
	if p != nil {
		p.Coins++
		found.Player = *p
	}
	s.mu.Unlock()
	if p == nil {
		s.Refused.Add(1)
		http.Error(w, "the player is not here", http.StatusMisdirectedRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(found) // who asked is gone when this fails
}

// giveUp returns a player, whom the shard does not hold from then on.
func (s *Shard) giveUp(name string) (Player, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.players[name]
	if p == nil {
		return Player{}, fmt.Errorf("shard %s does not hold %s", s.Name, name)
	}
	delete(s.players, name)
	return *p, nil
}

func (s *Shard) take(name string, p Player) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.players == nil {
		s.players = map[string]*Player{}
	}
	s.players[name] = &p
}

// An Atlas says in which region each player is. It is the service that shardproxy asks.
type Atlas struct {
	Asked atomic.Int64

	mu sync.Mutex // guards the rest
	at map[string]string
}

func (a *Atlas) set(player, region string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at == nil {
		a.at = map[string]string{}
	}
	a.at[player] = region
}

func (a *Atlas) region(player string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at[player]
}

// ServeHTTP answers GET /v1/contexts/<player>.
func (a *Atlas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.Asked.Add(1)
	region := a.region(strings.TrimPrefix(r.URL.Path, "/v1/contexts/"))
	if region == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"context": region}) // as above
}

// A World is a grid of regions.
type World struct {
	Side  int
	Atlas *Atlas
	Home  map[string]*Shard // of each region
	// Between, if set, is called between the steps of a move: a hand-over takes its time.
	Between func()
}

// Region is the name of a place on the grid.
func Region(x, y int) string { return fmt.Sprintf("region-%d-%d", x, y) }

// Regions are the names of all.
func (w *World) Regions() []string {
	var all []string
	for x := range w.Side {
		for y := range w.Side {
			all = append(all, Region(x, y))
		}
	}
	return all
}

// Enter puts a new player into the world.
func (w *World) Enter(player, region string) {
	w.Home[region].take(player, Player{Region: region})
	w.Atlas.set(player, region)
}

// A Step is a way on the grid, which has no edge: who leaves in the east arrives in the west.
type Step struct{ X, Y int }

// Steps are those to the four neighbours.
var Steps = [4]Step{{0, 1}, {1, 0}, {0, -1}, {-1, 0}}

var errNowhere = errors.New("the player is in no region")

// Walk takes a player to the region next to its own. A player is walked by one goroutine at
// a time. changed tells whether another shard holds it now.
func (w *World) Walk(player string, step Step) (changed bool, err error) {
	from := w.Atlas.region(player)
	var x, y int
	if _, err := fmt.Sscanf(from, "region-%d-%d", &x, &y); err != nil {
		return false, fmt.Errorf("%s: %w", player, errNowhere)
	}
	to := Region((x+step.X+w.Side)%w.Side, (y+step.Y+w.Side)%w.Side)
	p, err := w.Home[from].giveUp(player)
	if err != nil {
		return false, err
	}
	w.between()
	w.Atlas.set(player, to)
	w.between()
	p.Region = to
	w.Home[to].take(player, p)
	return w.Home[from] != w.Home[to], nil
}

func (w *World) between() {
	if w.Between != nil {
		w.Between()
	}
}

// Coins are those of a player in all shards that hold it, and how many do.
func (w *World) Coins(player string) (coins, holders int) {
	seen := map[*Shard]bool{}
	for _, s := range w.Home {
		if seen[s] {
			continue
		}
		seen[s] = true
		s.mu.Lock()
		if p := s.players[player]; p != nil {
			coins, holders = coins+p.Coins, holders+1
		}
		s.mu.Unlock()
	}
	return coins, holders
}
