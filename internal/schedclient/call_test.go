package schedclient

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
)

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
