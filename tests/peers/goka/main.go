// The three parts of "User Clicks" in Goka, to run beside clicklib over the same topics and groups.
//
//	peer emitter   -topic T [-count N] [-users U] [-rate R]
//	peer processor -topic T -group G [-storage DIR] [-count N]
//	peer view      -table G-table [-storage DIR] [-size | -serve]
//
// Each prints JSON, a value a line, on standard output, and Goka's log on standard error. SIGINT and
// SIGTERM end it in order. -h after a command lists all of its flags.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
)

func main() {
	commands := map[string]func(context.Context, []string) error{
		"emitter": emitter, "processor": processor, "view": view,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		log.Fatal("usage: peer emitter|processor|view [flags]")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := commands[os.Args[1]](ctx, os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

// A User is a row of the table.
type User struct {
	Clicks int
}

type userCodec struct{}

func (userCodec) Encode(value any) ([]byte, error) {
	user, ok := value.(*User)
	if !ok {
		return nil, fmt.Errorf("expected a *User, got %T", value)
	}
	return json.Marshal(user)
}

func (userCodec) Decode(data []byte) (any, error) {
	user := new(User)
	return user, json.Unmarshal(data, user)
}

// A message of a stream, as JSON: the key in base64, so that it may be any bytes.
type message struct {
	Key   []byte
	Value *string // nil for a tombstone
}

// emitter emits clicks until their number or a signal is reached, and waits for Kafka's answers.
func emitter(ctx context.Context, args []string) error {
	flags := newFlags("emitter")
	topic := flags.String("topic", "user-clicks", "the stream")
	count := flags.Int("count", 0, "stop after so many clicks; 0: at a signal")
	users := flags.Int("users", 10, "how many users click, in turn")
	rate := flags.Float64("rate", 0, "clicks a second; 0: as fast as possible")
	fromStdin := flags.Bool("stdin", false,
		`emit the messages on standard input instead: {"Key": base64, "Value": text or null}`)
	brokers := flags.use(args)

	messages := clicks(ctx, *count, *users, *rate)
	if *fromStdin {
		read, err := readMessages(os.Stdin)
		if err != nil {
			return err
		}
		messages = slices.Values(read)
	}
	emitter, err := goka.NewEmitter(brokers, goka.Stream(*topic), new(codec.String))
	if err != nil {
		return err
	}
	emitted, failed := 0, atomic.Int64{}
	for msg := range messages {
		var value any
		if msg.Value != nil {
			value = *msg.Value
		}
		promise, err := emitter.Emit(string(msg.Key), value)
		if err != nil {
			return err
		}
		emitted++
		promise.Then(func(err error) {
			if err != nil {
				log.Print(err)
				failed.Add(1)
			}
		})
	}
	if err := emitter.Finish(); err != nil {
		return err
	}
	report(map[string]any{"emitted": emitted})
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d messages were not acknowledged", n)
	}
	return nil
}

// clicks yields `count` clicks of `users` users in turn, `rate` a second, or fewer when ctx is done.
func clicks(ctx context.Context, count, users int, rate float64) iter.Seq[message] {
	return func(yield func(message) bool) {
		begin := time.Now()
		for i := 0; (count == 0 || i < count) && ctx.Err() == nil; i++ {
			if rate > 0 {
				due := time.Duration(float64(i) / rate * float64(time.Second))
				time.Sleep(time.Until(begin.Add(due)))
			}
			now := time.Now().Format(time.RFC3339Nano)
			if !yield(message{fmt.Appendf(nil, "user-%d", i%users), &now}) {
				return
			}
		}
	}
}

func readMessages(from io.Reader) (messages []message, err error) {
	for decoder := json.NewDecoder(from); decoder.More(); {
		var msg message
		if err := decoder.Decode(&msg); err != nil {
			return nil, err
		}
		messages = append(messages, msg)
	}
	return messages, nil
}

// processor counts the clicks of each user. The click "forget" deletes its user.
func processor(ctx context.Context, args []string) error {
	flags := newFlags("processor")
	topic := flags.String("topic", "user-clicks", "the stream")
	group := flags.String("group", "mini-group", "the group; its table is GROUP-table")
	folder := flags.String("storage", "", "where the local copy is kept; none: in memory")
	number := flags.Int64("count", 0, "end after so many clicks; 0: at a signal")
	brokers := flags.use(args)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var counted atomic.Int64
	var first, last time.Time
	count := func(click goka.Context, msg any) {
		if msg == "forget" {
			click.Delete()
		} else {
			user, ok := click.Value().(*User)
			if !ok {
				user = new(User)
			}
			user.Clicks++
			click.SetValue(user)
		}
		switch n := counted.Add(1); n {
		case 1:
			first = time.Now()
		case *number:
			last = time.Now()
			cancel()
		}
	}
	graph := goka.DefineGroup(goka.Group(*group),
		goka.Input(goka.Stream(*topic), new(codec.String), count),
		goka.Persist(userCodec{}))
	processor, err := goka.NewProcessor(brokers, graph,
		goka.WithStorageBuilder(builder(*folder)),
		goka.WithTopicManagerBuilder(topicManager),
		goka.WithRebalanceCallback(func(assigned goka.Assignment) {
			owned := slices.AppendSeq([]int32{}, maps.Keys(assigned))
			slices.Sort(owned)
			report(map[string]any{"partitions": owned})
		}))
	if err != nil {
		return err
	}
	if err := waitForLeaders(brokers, string(goka.GroupTable(goka.Group(*group)))); err != nil {
		return err
	}
	go func() {
		if processor.WaitForReadyContext(ctx) == nil && ctx.Err() == nil {
			report(map[string]any{"recovered": true})
		}
	}()
	if err := processor.Run(ctx); err != nil {
		return err
	}
	result := map[string]any{"counted": counted.Load()}
	if !last.IsZero() {
		result["seconds"] = last.Sub(first).Seconds()
	}
	report(result)
	return nil
}

// view prints the whole table once it has caught up.
func view(ctx context.Context, args []string) error {
	flags := newFlags("view")
	table := flags.String("table", "mini-group-table", "the table")
	folder := flags.String("storage", "", "where the local copy is kept; none: in memory")
	size := flags.Bool("size", false, "print the number of rows and of clicks instead of the rows")
	serve := flags.Bool("serve", false, "answer GET /KEY on a free port of this machine until a signal")
	brokers := flags.use(args)
	if *size {
		report(map[string]any{"ready": true})
	}

	view, err := goka.NewView(brokers, goka.Table(*table), userCodec{},
		goka.WithViewStorageBuilder(builder(*folder)))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- view.Run(ctx) }()
	for !view.Recovered() {
		select {
		case err := <-done:
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
	if *serve {
		return answer(ctx, view)
	}
	if *size {
		report(map[string]any{"done": true})
	}
	rows, err := view.Iterator()
	if err != nil {
		return err
	}
	defer rows.Release()
	found, sum := 0, 0
	for ; rows.Next(); found++ {
		value, err := rows.Value()
		if err != nil {
			return fmt.Errorf("key %q: %w", rows.Key(), err)
		}
		sum += value.(*User).Clicks
		if !*size {
			report(map[string]any{"Key": []byte(rows.Key()), "Value": value})
		}
	}
	if *size {
		report(map[string]any{"rows": found, "clicks": sum})
	}
	return rows.Err()
}

// answer serves the rows as JSON until ctx is done.
func answer(ctx context.Context, view *goka.View) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, err := view.Get(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil || value == nil {
			http.Error(w, "no such key", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		data, _ := json.Marshal(value)
		_, _ = w.Write(data)
	})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	report(map[string]any{"port": listener.Addr().(*net.TCPAddr).Port})
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
