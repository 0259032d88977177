package schedclient

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

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
	seen.expect(t, "disconnected: ")
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

// Over TLS a standby's scheme-less redirect stays on TLS, and one that would leave it is not followed.
func TestRedirectsStayOnTLS(t *testing.T) {
	plain := newPeer(t)
	leader := &peer{subscribes: make(chan *subscription, 16), calls: make(chan received, 16)}
	leader.Server = httptest.NewTLSServer(leader)
	t.Cleanup(leader.Close)
	targets := []string{plain.URL, strings.TrimPrefix(leader.URL, "https:")}
	standby := &peer{}
	standby.answer = func(w http.ResponseWriter, _ *http.Request, _ *schedulerpb.Call) bool {
		w.Header().Set("Location", targets[0]+"/master/api/v1/scheduler")
		w.WriteHeader(http.StatusTemporaryRedirect)
		targets = targets[1:]
		return true
	}
	standby.Server = httptest.NewTLSServer(standby)
	t.Cleanup(standby.Close)

	cfg, seen := quickConfig(standby.URL), newJournal()
	cfg.TLS = leader.Client().Transport.(*http.Transport).TLSClientConfig
	start(t, New(cfg), seen)
	take(t, leader.subscribes).welcome("f-0000")
	seen.expect(t, "connected "+leader.URL)
	seen.expect(t, "subscribed")
	if len(plain.subscribes) != 0 {
		t.Error("the redirect to plain HTTP was followed")
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
