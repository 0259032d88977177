package schedclient

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
)

func TestSubscribesAndHandsOverEventsInOrder(t *testing.T) {
	master, seen := newPeer(t), newJournal()
	cfg := quickConfig(strings.TrimPrefix(master.URL, "http://"))
	cfg.SuppressedRoles = []string{"dev"}
	cfg.Credential = &Credential{"ops", "secret"}
	client := New(cfg)
	stop, result := start(t, client, seen)

	s := take(t, master.subscribes)
	if s.path != "/api/v1/scheduler" || s.header.Get("Content-Type") != "application/x-protobuf" || s.header.Get("Accept") != "application/x-protobuf" {
		t.Errorf("SUBSCRIBE: %s %v", s.path, s.header)
	}
	if got := s.header.Get("Authorization"); got != "Basic "+base64.StdEncoding.EncodeToString([]byte("ops:secret")) {
		t.Errorf("Authorization: %q", got)
	}
	if _, ok := s.header["Mesos-Stream-Id"]; ok {
		t.Error("SUBSCRIBE carries a stream id")
	}
	want := &schedulerpb.Call{Type: schedulerpb.Call_SUBSCRIBE.Enum(), Subscribe: &schedulerpb.Call_Subscribe{
		FrameworkInfo: framework(), SuppressedRoles: []string{"dev"},
	}}
	if !proto.Equal(s.call, want) {
		t.Errorf("SUBSCRIBE: %v", s.call)
	}

	seen.expect(t, "connected "+master.URL)
	s.welcome("f-0000")
	s.event(rescind("O1"))
	s.event(heartbeat)
	s.event(rescind("O2"))
	seen.expect(t, "subscribed f-0000")
	seen.expect(t, "RESCIND O1")
	seen.expect(t, "RESCIND O2")
	if got := client.FrameworkID(); got != "f-0000" {
		t.Errorf("framework id %q", got)
	}

	stop()
	if err := take(t, result); err != context.Canceled {
		t.Errorf("Run: %v", err)
	}
	seen.expect(t, "disconnected: context canceled")
	if err := client.Call(context.Background(), &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}); err != ErrNotSubscribed {
		t.Errorf("call after the end: %v", err)
	}
}

// The exact bytes of an original master's answer: head, chunks and records.
func TestUnderstandsARecordedStream(t *testing.T) {
	recorded, err := os.ReadFile("testdata/subscribe-response.http")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = conn.Write(recorded)
			}
			defer conn.Close()
		}
	}()
	seen := newJournal()
	client := New(quickConfig(listener.Addr().String()))
	stop, result := start(t, client, seen)
	seen.expect(t, "connected http://"+listener.Addr().String())
	seen.expect(t, "subscribed 549f7b55-e3f3-4ce4-b0c4-bdaff6f2ca8d-0001")
	seen.expect(t, "OFFERS")
	stop()
	take(t, result)
}

func TestCallsCarryStreamAndFrameworkID(t *testing.T) {
	master, seen := newPeer(t), newJournal()
	client := New(quickConfig(master.URL))
	start(t, client, seen)
	s := take(t, master.subscribes)
	s.welcome("f-0000")
	seen.expect(t, "connected")
	seen.expect(t, "subscribed")

	revive := &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}
	if err := client.Call(context.Background(), revive); err != nil {
		t.Fatal(err)
	}
	got := take(t, master.calls)
	if id := got.header.Get("Mesos-Stream-Id"); id != "stream-of-"+s.remote {
		t.Errorf("stream id %q", id)
	}
	if _, ok := got.header["Idempotency-Key"]; ok {
		t.Error("a header of our own went out")
	}
	want := &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum(), FrameworkId: &mesospb.FrameworkID{Value: proto.String("f-0000")}}
	if !proto.Equal(got.call, want) {
		t.Errorf("got %v", got.call)
	}
	if revive.FrameworkId != nil {
		t.Error("the caller's message was changed")
	}
	if err := client.Call(context.Background(), &schedulerpb.Call{Type: schedulerpb.Call_SUBSCRIBE.Enum()}); err == nil {
		t.Error("SUBSCRIBE went out as a call")
	}
}

// Many goroutines may call; each one's calls arrive in its order, over one connection beside the stream's.
func TestCallsKeepTheirOrderOnOneConnection(t *testing.T) {
	master, seen := newPeer(t), newJournal()
	client := New(quickConfig(master.URL))
	start(t, client, seen)
	s := take(t, master.subscribes)
	s.welcome("f-0000")
	seen.expect(t, "connected")
	seen.expect(t, "subscribed")

	const goroutines, each = 8, 50
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range each {
				call := &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum(), Revive: &schedulerpb.Call_Revive{
					Roles: []string{string(rune('a' + g)), strings.Repeat("i", i)},
				}}
				if err := client.Call(context.Background(), call); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	next := map[string]int{}
	connections := map[string]bool{}
	for range goroutines * each {
		got := take(t, master.calls)
		connections[got.remote] = true
		roles := got.call.GetRevive().GetRoles()
		if len(roles[1]) != next[roles[0]] {
			t.Fatalf("%s: call %d came when %d was due", roles[0], len(roles[1]), next[roles[0]])
		}
		next[roles[0]]++
	}
	if len(connections) != 1 || connections[s.remote] {
		t.Errorf("connections %v, stream %s", connections, s.remote)
	}
}

func TestHandlerMayCallInsideAnEvent(t *testing.T) {
	master, seen := newPeer(t), newJournal()
	client := New(quickConfig(master.URL))
	seen.hook = func(line string) {
		if strings.HasPrefix(line, "subscribed") {
			if err := client.Call(context.Background(), &schedulerpb.Call{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: &schedulerpb.Call_Reconcile{}}); err != nil {
				t.Error(err)
			}
		}
	}
	start(t, client, seen)
	take(t, master.subscribes).welcome("f-0000")
	if got := take(t, master.calls); got.call.GetType() != schedulerpb.Call_RECONCILE {
		t.Errorf("got %v", got.call)
	}
	seen.expect(t, "connected")
	seen.expect(t, "subscribed")
}

// A standby answers 307 with "//host:port/master/api/v1/scheduler"; calls go where the chain ended.
func TestFollowsRedirectsToTheLeader(t *testing.T) {
	leader, seen := newPeer(t), newJournal()
	redirectTo := func(target string) func(http.ResponseWriter, *http.Request, *schedulerpb.Call) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ *schedulerpb.Call) bool {
			w.Header().Set("Location", strings.TrimPrefix(target, "http:")+"/master/api/v1/scheduler")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}
	}
	second := newPeer(t)
	second.answer = redirectTo(leader.URL)
	first := newPeer(t)
	first.answer = redirectTo(second.URL)

	client := New(quickConfig(first.URL))
	start(t, client, seen)
	s := take(t, leader.subscribes)
	if s.path != "/master/api/v1/scheduler" {
		t.Errorf("path %s", s.path)
	}
	s.welcome("f-0000")
	seen.expect(t, "connected "+leader.URL)
	seen.expect(t, "subscribed")
	if err := client.Call(context.Background(), &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}); err != nil {
		t.Fatal(err)
	}
	if got := take(t, leader.calls); got.path != "/master/api/v1/scheduler" {
		t.Errorf("call path %s", got.path)
	}
}

func TestGoesOnToTheNextMasterWhenOneCannotSubscribe(t *testing.T) {
	closed := newPeer(t)
	closed.Close()
	loop := newPeer(t)
	loop.answer = func(w http.ResponseWriter, r *http.Request, _ *schedulerpb.Call) bool {
		w.Header().Set("Location", "//"+r.Host+"/master/api/v1/scheduler")
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	nowhere := newPeer(t)
	nowhere.answer = func(w http.ResponseWriter, _ *http.Request, _ *schedulerpb.Call) bool {
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	noLeader := newPeer(t)
	noLeader.answer = func(w http.ResponseWriter, _ *http.Request, _ *schedulerpb.Call) bool {
		plainAnswer(w, http.StatusServiceUnavailable, "No leader elected")
		return true
	}
	page := newPeer(t)
	page.answer = func(w http.ResponseWriter, _ *http.Request, _ *schedulerpb.Call) bool {
		plainAnswer(w, http.StatusOK, "hello")
		return true
	}
	leader, seen := newPeer(t), newJournal()
	client := New(quickConfig(closed.URL, loop.URL, nowhere.URL, noLeader.URL, page.URL, leader.URL))
	start(t, client, seen)
	take(t, leader.subscribes).welcome("f-0000")
	seen.expect(t, "connected "+leader.URL)
	seen.expect(t, "subscribed f-0000")
}

// 401, 403, 400 and 503 may all be a matter of time (a credential that is being added, a registry that is being read): the client
// goes on trying, and the reason is in the log.
func TestKeepsTryingWhileRefused(t *testing.T) {
	answers := []struct {
		status int
		body   string
	}{
		{401, "401 Unauthorized."},
		{403, "403 Forbidden."},
		{400, "Failed to validate scheduler::Call: Expecting 'subscribe' to be present"},
		{503, "Master has not finished recovery"},
		{404, "404 Not Found."},
	}
	master, seen := newPeer(t), newJournal()
	attempts := 0
	master.answer = func(w http.ResponseWriter, _ *http.Request, _ *schedulerpb.Call) bool {
		if attempts == len(answers) {
			return false
		}
		plainAnswer(w, answers[attempts].status, answers[attempts].body)
		attempts++
		return true
	}
	start(t, New(quickConfig(master.URL)), seen)
	take(t, master.subscribes).welcome("f-0000")
	seen.expect(t, "connected")
	seen.expect(t, "subscribed")
	if attempts != len(answers) {
		t.Errorf("%d attempts", attempts)
	}
}

func TestSubscribesAgainWithItsIDAfterALostStream(t *testing.T) {
	half := []byte("100\nonly a part of the record")
	for name, breakStream := range map[string]func(*subscription){
		"closed between events":  func(s *subscription) { close(s.end); <-s.done },
		"closed inside a record": func(s *subscription) { s.send(half); close(s.end); <-s.done },
		"connection cut": func(s *subscription) {
			s.send(half)
			conn, _, err := http.NewResponseController(s.w).Hijack()
			if err == nil {
				conn.Close()
			}
			close(s.end)
		},
		"bad framing":     func(s *subscription) { s.send([]byte("no length\n")) },
		"record too long": func(s *subscription) { s.send([]byte("99999999999\n")) },
		"not an event":    func(s *subscription) { s.send([]byte("3\n\xff\xff\xff")) },
	} {
		t.Run(name, func(t *testing.T) {
			master, seen := newPeer(t), newJournal()
			client := New(quickConfig(master.URL))
			start(t, client, seen)
			first := take(t, master.subscribes)
			first.welcome("f-0007")
			seen.expect(t, "connected")
			seen.expect(t, "subscribed f-0007")
			breakStream(first)
			seen.expect(t, "disconnected: ")

			second := take(t, master.subscribes)
			id := second.call.GetFrameworkId().GetValue()
			if id != "f-0007" || second.call.GetSubscribe().GetFrameworkInfo().GetId().GetValue() != id {
				t.Errorf("subscribed again as %v", second.call)
			}
			second.welcome("f-0007")
			seen.expect(t, "connected")
			seen.expect(t, "subscribed f-0007")
			if err := client.Call(context.Background(), &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}); err != nil {
				t.Fatal(err)
			}
			if got := take(t, master.calls).header.Get("Mesos-Stream-Id"); got != "stream-of-"+second.remote {
				t.Errorf("stream id %q after the second subscription", got)
			}
		})
	}
}

func TestRunEndsWithAnErrorEvent(t *testing.T) {
	for _, message := range []string{"Framework has been removed", "Framework failed over"} {
		master, seen := newPeer(t), newJournal()
		client := New(quickConfig(master.URL))
		client.SetFrameworkID("f-0001")
		_, result := start(t, client, seen)
		s := take(t, master.subscribes)
		s.event(&schedulerpb.Event{Type: schedulerpb.Event_ERROR.Enum(), Error: &schedulerpb.Event_Error{Message: proto.String(message)}})
		close(s.end)
		var final *FrameworkError
		if err := take(t, result); !errors.As(err, &final) || final.Message != message {
			t.Errorf("Run: %v", err)
		}
		seen.expect(t, "connected")
		seen.expect(t, "disconnected: error event from the master: "+message)
	}
}

func TestCallErrorsAreTyped(t *testing.T) {
	master, seen := newPeer(t), newJournal()
	master.answer = func(w http.ResponseWriter, _ *http.Request, call *schedulerpb.Call) bool {
		switch call.GetType() {
		case schedulerpb.Call_KILL:
			plainAnswer(w, http.StatusBadRequest, "Framework cannot be found")
		case schedulerpb.Call_REVIVE:
			plainAnswer(w, http.StatusForbidden, "Framework is not subscribed")
		case schedulerpb.Call_UPDATE_FRAMEWORK:
			w.WriteHeader(http.StatusOK)
		default:
			return false
		}
		return true
	}
	client := New(quickConfig(master.URL))
	if err := client.Call(context.Background(), &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}); err != ErrNotSubscribed {
		t.Errorf("before SUBSCRIBED: %v", err)
	}
	start(t, client, seen)
	take(t, master.subscribes).welcome("f-0000")
	seen.expect(t, "connected")
	seen.expect(t, "subscribed")

	kill := &schedulerpb.Call{Type: schedulerpb.Call_KILL.Enum(), Kill: &schedulerpb.Call_Kill{TaskId: &mesospb.TaskID{Value: proto.String("t")}}}
	for _, c := range []struct {
		call *schedulerpb.Call
		want StatusError
	}{
		{kill, StatusError{schedulerpb.Call_KILL, master.URL, 400, "Framework cannot be found"}},
		{&schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}, StatusError{schedulerpb.Call_REVIVE, master.URL, 403, "Framework is not subscribed"}},
	} {
		var got *StatusError
		if err := client.Call(context.Background(), c.call); !errors.As(err, &got) {
			t.Errorf("got %v", err)
		} else if diff := cmp.Diff(c.want, *got); diff != "" {
			t.Error(diff)
		}
	}
	update := &schedulerpb.Call{Type: schedulerpb.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &schedulerpb.Call_UpdateFramework{FrameworkInfo: framework()}}
	if err := client.Call(context.Background(), update); err != nil {
		t.Errorf("UPDATE_FRAMEWORK: %v", err)
	}
	incomplete := &schedulerpb.Call{Type: schedulerpb.Call_KILL.Enum(), Kill: &schedulerpb.Call_Kill{}}
	if err := client.Call(context.Background(), incomplete); err == nil || !strings.Contains(err.Error(), "required") {
		t.Errorf("incomplete call: %v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := client.Call(ended, &schedulerpb.Call{Type: schedulerpb.Call_SUPPRESS.Enum()}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}

// A master that answers a call with a redirect has lost the lead: the client drops its stream and looks for the new leader.
func TestRedirectedCallEndsTheStream(t *testing.T) {
	master, seen := newPeer(t), newJournal()
	master.answer = func(w http.ResponseWriter, _ *http.Request, call *schedulerpb.Call) bool {
		if call.GetType() == schedulerpb.Call_SUBSCRIBE {
			return false
		}
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	client := New(quickConfig(master.URL))
	start(t, client, seen)
	take(t, master.subscribes).welcome("f-0000")
	seen.expect(t, "connected")
	seen.expect(t, "subscribed")
	var status *StatusError
	if err := client.Call(context.Background(), &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}); !errors.As(err, &status) || status.Status != 307 {
		t.Errorf("got %v", err)
	}
	seen.expect(t, "disconnected: the master does not lead any more")
	take(t, master.subscribes)
}

// TEARDOWN makes the master end the stream, often before its 202 has arrived.
func TestTeardownGetsItsAnswerThoughTheStreamEnds(t *testing.T) {
	master, seen := newPeer(t), newJournal()
	var stream *subscription
	master.answer = func(w http.ResponseWriter, _ *http.Request, call *schedulerpb.Call) bool {
		if call.GetType() != schedulerpb.Call_TEARDOWN {
			return false
		}
		close(stream.end)
		<-stream.done
		seen.expect(t, "disconnected: the master closed the event stream")
		w.WriteHeader(http.StatusAccepted)
		return true
	}
	client := New(quickConfig(master.URL))
	start(t, client, seen)
	stream = take(t, master.subscribes)
	stream.welcome("f-0000")
	seen.expect(t, "connected")
	seen.expect(t, "subscribed")
	if err := client.Call(context.Background(), &schedulerpb.Call{Type: schedulerpb.Call_TEARDOWN.Enum()}); err != nil {
		t.Error(err)
	}
}

func TestMistakesInTheConfigAreReported(t *testing.T) {
	for want, cfg := range map[string]Config{
		"no master given":               {Framework: framework()},
		"must be host:port":             quickConfig("zk://127.0.0.1:2181/mesos"),
		"127.0.0.1:5050/state":          quickConfig("127.0.0.1:5050/state"),
		"the FrameworkInfo is not comp": {Masters: []string{"127.0.0.1:5050"}},
	} {
		if err := New(cfg).Run(context.Background(), newJournal()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s: %v", want, err)
		}
	}
}

// pipeListener gives a server the other ends of pipes, so that a whole connection lives in virtual time.
type pipeListener struct{ conns chan net.Conn }

func (l pipeListener) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// virtual runs a client against a peer in virtual time.
func virtual(t *testing.T, test func(t *testing.T, p *peer, cfg Config)) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{subscribes: make(chan *subscription, 16), calls: make(chan received, 16)}
		listener := pipeListener{make(chan net.Conn)}
		server := &http.Server{Handler: p}
		go func() { _ = server.Serve(listener) }()
		cfg := quickConfig("master:5050")
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			listener.conns <- theirs
			return ours, nil
		}
		test(t, p, cfg)
		close(listener.conns)
		server.Close()
	})
}

func TestFiveMissedHeartbeatsEndTheStream(t *testing.T) {
	virtual(t, func(t *testing.T, master *peer, cfg Config) {
		seen := newJournal()
		seen.virtual = true
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error)
		go func() { result <- New(cfg).Run(ctx, seen) }()
		s := <-master.subscribes
		s.event(subscribedEvent("f-0000", 15))
		seen.expect(t, "connected")
		seen.expect(t, "subscribed")

		// Any event proves that the master lives; four missed heartbeats don't end anything.
		time.Sleep(74 * time.Second)
		s.event(rescind("O1"))
		seen.expect(t, "RESCIND O1")
		begin := time.Now()
		seen.expect(t, "disconnected: the master missed five heartbeats")
		if silent := time.Since(begin); silent != 75*time.Second {
			t.Errorf("ended after %s", silent)
		}
		s = <-master.subscribes
		s.event(subscribedEvent("f-0000", 0))
		seen.expect(t, "connected")
		seen.expect(t, "subscribed")

		// A master without heartbeats may be silent for ever.
		time.Sleep(48 * time.Hour)
		s.event(rescind("O2"))
		seen.expect(t, "RESCIND O2")
		cancel()
		<-result
	})
}

// While the handler works, nobody reads, and that is not the master's silence.
func TestASlowHandlerDoesNotLookLikeALostMaster(t *testing.T) {
	virtual(t, func(t *testing.T, master *peer, cfg Config) {
		seen := newJournal()
		seen.virtual = true
		seen.hook = func(line string) {
			if strings.HasPrefix(line, "RESCIND") {
				time.Sleep(10 * time.Minute)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error)
		go func() { result <- New(cfg).Run(ctx, seen) }()
		s := <-master.subscribes
		go func() {
			s.event(subscribedEvent("f-0000", 15))
			s.event(rescind("O1"))
			s.event(rescind("O2"))
		}()
		seen.expect(t, "connected")
		seen.expect(t, "subscribed")
		seen.expect(t, "RESCIND O1")
		seen.expect(t, "RESCIND O2")
		cancel()
		<-result
	})
}

func TestAMasterThatNeverAnswersIsGivenUp(t *testing.T) {
	virtual(t, func(t *testing.T, master *peer, cfg Config) {
		asked := make(chan time.Time, 2)
		master.answer = func(_ http.ResponseWriter, r *http.Request, _ *schedulerpb.Call) bool {
			asked <- time.Now()
			<-r.Context().Done()
			return true
		}
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error)
		go func() { result <- New(cfg).Run(ctx, newJournal()) }()
		first, second := <-asked, <-asked
		if d := second.Sub(first); d < 30*time.Second || d > 31*time.Second {
			t.Errorf("asked again after %s", d)
		}
		cancel()
		if err := <-result; err != context.Canceled {
			t.Error(err)
		}
	})
}

func TestBackoffDoublesWithJitterUpToItsBound(t *testing.T) {
	b := backoff{min: 100 * time.Millisecond, max: time.Second}
	for _, top := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		top *= time.Millisecond
		if got := b.next(); got < top/2 || got > top {
			t.Errorf("pause %s outside %s to %s", got, top/2, top)
		}
	}
	b.lasted(999 * time.Millisecond)
	if got := b.next(); got < 500*time.Millisecond {
		t.Errorf("a subscription that did not last: pause %s", got)
	}
	b.lasted(time.Second)
	if got := b.next(); got > 100*time.Millisecond {
		t.Errorf("a subscription that lasted: pause %s", got)
	}
}

func BenchmarkCall(b *testing.B) {
	master, seen := newPeer(b), newJournal()
	master.answer = func(w http.ResponseWriter, _ *http.Request, call *schedulerpb.Call) bool {
		if call.GetType() == schedulerpb.Call_SUBSCRIBE {
			return false
		}
		w.WriteHeader(http.StatusAccepted)
		return true
	}
	client := New(quickConfig(master.URL))
	start(b, client, seen)
	take(b, master.subscribes).welcome("f-0000")
	seen.expect(b, "connected")
	seen.expect(b, "subscribed")
	call := &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}
	b.ReportAllocs()
	for b.Loop() {
		if err := client.Call(context.Background(), call); err != nil {
			b.Fatal(err)
		}
	}
}
