// A gateway with a waiting room as one would write it by hand in Go on Redis: a sorted set of those who wait, a look-up of the
// rank at every poll, and a timer that pops as many as may enter.
//
// It is here to be measured beside gateway-api on the same machine, by the same rig (docs/measurements.md). Its tickets are not
// signed, nobody who vanishes leaves the line, nothing survives a loss, several of these let in several times the rate, and
// there are no limits of requests, metrics or shutdown: what it costs is what such a gateway costs at least.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	every    = 100 * time.Millisecond
	turn     = 30 * time.Second
	callMax  = 500 * time.Millisecond
	pollMs   = 1000
	bodyMax  = 64 * 1024
	poolSize = 64
)

type gateway struct {
	redis *redis.Client
	base  string
	lines sync.Map // show -> *sync.Once
}

type request struct {
	EventID string `json:"event_id"`
	UserID  string `json:"user_id"`
	Token   string `json:"waiting_token"`
}

type status struct {
	Status      string `json:"status"`
	Position    int64  `json:"position"`
	EtaSec      int64  `json:"eta_sec"`
	Ready       bool   `json:"ready_for_entry"`
	PollAfterMs int64  `json:"poll_after_ms"`
}

func random() string {
	bytes := make([]byte, 16)
	rand.Read(bytes)
	return hex.EncodeToString(bytes)
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, code int, why string) {
	answer(w, code, map[string]any{"error": map[string]string{"code": why, "message": why}})
}

func read(w http.ResponseWriter, r *http.Request) (request, bool) {
	var asked request
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyMax)).Decode(&asked) != nil {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT")
		return asked, false
	}
	return asked, true
}

// The line of a show begins to move when somebody joins it.
func (g *gateway) open(show string) {
	once, _ := g.lines.LoadOrStore(show, new(sync.Once))
	once.(*sync.Once).Do(func() {
		answer, err := http.Get(g.base + "/admin/shows/" + show)
		if err != nil {
			log.Fatal(err)
		}
		defer answer.Body.Close()
		var told struct {
			WaitingRoom struct {
				Rate float64 `json:"rate_per_sec"`
			} `json:"waiting_room"`
		}
		if err := json.NewDecoder(answer.Body).Decode(&told); err != nil {
			log.Fatal(err)
		}
		go g.move(show, told.WaitingRoom.Rate)
	})
}

func (g *gateway) move(show string, rate float64) {
	owed, last := 0.0, time.Now()
	for now := range time.Tick(every) {
		owed += now.Sub(last).Seconds() * rate
		last = now
		ctx, cancel := context.WithTimeout(context.Background(), callMax)
		next, err := g.redis.ZPopMin(ctx, "line:"+show, int64(owed)).Result()
		if err == nil && len(next) > 0 {
			pipe := g.redis.Pipeline()
			for _, one := range next {
				pipe.Set(ctx, "turn:"+one.Member.(string), "1", turn)
			}
			_, err = pipe.Exec(ctx)
		}
		cancel()
		if err != nil {
			log.Print(err)
		}
		owed -= float64(int64(owed))
	}
}

func (g *gateway) join(w http.ResponseWriter, r *http.Request) {
	asked, ok := read(w, r)
	if !ok {
		return
	}
	g.open(asked.EventID)
	ctx, cancel := context.WithTimeout(r.Context(), callMax)
	defer cancel()
	token, line := random(), "line:"+asked.EventID
	pipe := g.redis.Pipeline()
	pipe.ZAddNX(ctx, line, redis.Z{Score: float64(time.Now().UnixMicro()), Member: token})
	place := pipe.ZRank(ctx, line, token)
	pipe.Set(ctx, "ticket:"+token, asked.EventID+"|"+asked.UserID, time.Hour)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE")
		return
	}
	answer(w, http.StatusAccepted, map[string]any{
		"waiting_token": token + "." + asked.EventID, "position_hint": place.Val() + 1, "status": "waiting",
		"poll_after_ms": pollMs,
	})
}

// A ticket names its show, so that the rank is one look-up.
func split(ticket string) (string, string, bool) {
	if len(ticket) < 34 || ticket[32] != '.' {
		return "", "", false
	}
	return ticket[:32], ticket[33:], true
}

func (g *gateway) status(w http.ResponseWriter, r *http.Request) {
	token, show, ok := split(r.URL.Query().Get("token"))
	if !ok {
		refuse(w, http.StatusUnauthorized, "UNAUTHENTICATED")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callMax)
	defer cancel()
	pipe := g.redis.Pipeline()
	place := pipe.ZRank(ctx, "line:"+show, token)
	turn := pipe.Exists(ctx, "turn:"+token)
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE")
		return
	}
	told := status{Status: "waiting", PollAfterMs: pollMs}
	switch {
	case turn.Val() == 1:
		told.Status, told.Ready = "ready", true
	case place.Err() == nil:
		told.Position = place.Val() + 1
	default:
		told.Status = "expired"
	}
	answer(w, http.StatusOK, told)
}

func (g *gateway) enter(w http.ResponseWriter, r *http.Request) {
	asked, ok := read(w, r)
	if !ok {
		return
	}
	token, _, ok := split(asked.Token)
	if !ok {
		refuse(w, http.StatusUnauthorized, "UNAUTHENTICATED")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callMax)
	defer cancel()
	err := g.redis.GetDel(ctx, "turn:"+token).Err()
	switch {
	case errors.Is(err, redis.Nil):
		refuse(w, http.StatusForbidden, "NOT_READY")
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE")
	default:
		answer(w, http.StatusOK, map[string]any{"reservation_token": random(), "ttl_sec": 30})
	}
}

func main() {
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		log.Fatal("REDIS_URL: ", err)
	}
	options.PoolSize = poolSize
	g := &gateway{redis: redis.NewClient(options), base: os.Getenv("INVENTORY_API_BASE")}
	http.HandleFunc("POST /api/v1/queue/join", g.join)
	http.HandleFunc("GET /api/v1/queue/status", g.status)
	http.HandleFunc("POST /api/v1/queue/enter", g.enter)
	http.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		if err := g.redis.Ping(r.Context()).Err(); err != nil {
			refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE")
			return
		}
		answer(w, http.StatusOK, map[string]string{"status": "ready"})
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("SERVER_PORT"), nil))
}
