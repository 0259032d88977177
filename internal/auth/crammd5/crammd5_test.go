package crammd5

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"stoa/internal/mesos/internalpb"

	"google.golang.org/protobuf/proto"
)

// The master's credentials and the agents' answers in testdata/handshakes.json are those
// of the original, recorded.
var secrets = map[string]string{"agentp": "agents3cret", "fwp": "fws3cret"}

type recorded struct {
	From, To, Message string
	Body              string `json:"body_hex"`
}

func (r recorded) decode(t *testing.T) proto.Message {
	t.Helper()
	body, err := hex.DecodeString(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(r.Message, body)
	if err != nil || m == nil {
		t.Fatalf("decode %s: %v, %v", r.Message, m, err)
	}
	return m
}

// handshakes are the recorded ones, each with the messages of one client.
func handshakes(t *testing.T) map[string][]recorded {
	t.Helper()
	text, err := os.ReadFile("testdata/handshakes.json")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]recorded)
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatal(err)
	}
	clients := make(map[string][]recorded)
	for file, messages := range files {
		for _, m := range messages {
			client := m.From
			if !strings.HasPrefix(client, "crammd5-authenticatee") {
				client = m.To
			}
			clients[file+" "+client] = append(clients[file+" "+client], m)
		}
	}
	return clients
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheServerAnswersAsTheOriginalDid(t *testing.T) {
	ends := map[string]int{}
	for name, messages := range handshakes(t) {
		t.Run(name, func(t *testing.T) {
			var challenge string
			for _, m := range messages {
				if m.Message == "mesos.internal.AuthenticationStepMessage" && strings.HasPrefix(m.From, "crammd5-authenticator-session") {
					challenge = string(m.decode(t).(*internalpb.AuthenticationStepMessage).GetData())
				}
			}
			server, answer := NewServer(secrets, challenge)
			for _, m := range messages[1:] { // the first is to the master itself
				if strings.HasPrefix(m.From, "crammd5-authenticatee") {
					answer, _ = server.Receive(m.decode(t))
					continue
				}
				if got := hex.EncodeToString(marshal(t, answer)); got != m.Body {
					t.Errorf("%T is %s, the original's is %s", answer, got, m.Body)
				}
			}
			last := messages[len(messages)-1].Message
			ends[last]++
			if wants := last == "mesos.internal.AuthenticationCompletedMessage"; wants != (server.Principal() != "") {
				t.Errorf("principal is %q after %s", server.Principal(), last)
			}
		})
	}
	if ends["mesos.internal.AuthenticationCompletedMessage"] != 2 || ends["mesos.internal.AuthenticationFailedMessage"] != 3 {
		t.Errorf("recorded ends are %v", ends)
	}
}

func TestTheClientAnswersAsTheOriginalDid(t *testing.T) {
	for name, messages := range handshakes(t) {
		if messages[len(messages)-1].Message != "mesos.internal.AuthenticationCompletedMessage" {
			continue // its secret is not known
		}
		t.Run(name, func(t *testing.T) {
			pid := messages[0].decode(t).(*internalpb.AuthenticateMessage).GetPid()
			principal := "agentp"
			if strings.HasPrefix(pid, "scheduler-") {
				principal = "fwp"
			}
			client, say := NewClient(pid, principal, secrets[principal])
			var outcome Outcome
			for _, m := range messages {
				if strings.HasPrefix(m.From, "crammd5-authenticatee") {
					if got := hex.EncodeToString(marshal(t, say)); got != m.Body {
						t.Errorf("%T is %s, the original's is %s", say, got, m.Body)
					}
					continue
				}
				var err error
				if say, outcome, err = client.Receive(m.decode(t)); err != nil {
					t.Fatal(err)
				}
			}
			if outcome != Authenticated {
				t.Errorf("outcome is %v", outcome)
			}
		})
	}
}

// run plays a handshake to its end.
func run(t *testing.T, principal, secret string) (server, client Outcome, who string) {
	t.Helper()
	c, _ := NewClient("slave(1)@10.0.0.1:5051", principal, secret)
	s, m := NewServer(secrets, Challenge(4711, 1500000000, "host"))
	for m != nil {
		answer, outcome, err := c.Receive(m)
		if err != nil {
			t.Fatal(err)
		}
		if client = outcome; answer == nil {
			break
		}
		m, server = s.Receive(answer)
	}
	return server, client, s.Principal()
}

func TestBothSidesAgree(t *testing.T) {
	for _, tt := range []struct {
		name, principal, secret string
		want                    Outcome
	}{
		{"right secret", "agentp", "agents3cret", Authenticated},
		{"wrong secret", "agentp", "agents3cret ", Refused},
		{"another's secret", "agentp", "fws3cret", Refused},
		{"no secret", "agentp", "", Refused},
		{"unknown principal", "nobody", "agents3cret", Refused},
		{"unknown principal without a secret", "nobody", "", Refused},
		{"principal with blanks", "agent p", "agents3cret", Refused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, client, who := run(t, tt.principal, tt.secret)
			if server != tt.want || client != tt.want {
				t.Errorf("server says %v, client %v; want %v", server, client, tt.want)
			}
			if (who == tt.principal) != (tt.want == Authenticated) {
				t.Errorf("principal is %q", who)
			}
		})
	}
}

func TestTheServerBreaksOffWhatMakesNoSense(t *testing.T) {
	start := &internalpb.AuthenticationStartMessage{Mechanism: proto.String(Mechanism)}
	step := func(data string) proto.Message { return &internalpb.AuthenticationStepMessage{Data: []byte(data)} }
	for _, tt := range []struct {
		name string
		say  []proto.Message
		want string
	}{
		{"step first", []proto.Message{step("x y")}, "Unexpected authentication 'step' received"},
		{"two starts", []proto.Message{start, start}, "Unexpected authentication 'start' received"},
		{"another mechanism", []proto.Message{&internalpb.AuthenticationStartMessage{Mechanism: proto.String("PLAIN")}},
			"SASL(-4): no mechanism available: Couldn't find mech PLAIN"},
		{"data with the start", []proto.Message{&internalpb.AuthenticationStartMessage{Mechanism: proto.String(Mechanism), Data: []byte("x")}},
			"SASL(-5): bad protocol / cancel: CRAM-MD5 does not accept initial data"},
		{"no principal", []proto.Message{start, step("digest")}, "SASL(-5): bad protocol / cancel: need authentication name"},
		{"empty principal", []proto.Message{start, step(" digest")}, "SASL(-5): bad protocol / cancel: need authentication name"},
		{"a second guess", []proto.Message{start, step("agentp wrong"), step("agentp wrong")}, "Unexpected authentication 'step' received"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := NewServer(secrets, "<1.2@x>")
			var answer proto.Message
			var outcome Outcome
			for _, m := range tt.say {
				answer, outcome = s.Receive(m)
			}
			e, ok := answer.(*internalpb.AuthenticationErrorMessage)
			if !ok || e.GetError() != tt.want || outcome != Broken {
				t.Errorf("answer is %v (%v), want the error %q", answer, outcome, tt.want)
			}
		})
	}
}

func TestTheClientBreaksOffWhatMakesNoSense(t *testing.T) {
	mechanisms := &internalpb.AuthenticationMechanismsMessage{Mechanisms: []string{"PLAIN", Mechanism}}
	for _, tt := range []struct {
		name string
		hear []proto.Message
		want string
	}{
		{"step first", []proto.Message{&internalpb.AuthenticationStepMessage{Data: []byte("x")}}, "Unexpected authentication 'step' received"},
		{"completed first", []proto.Message{&internalpb.AuthenticationCompletedMessage{}}, "Unexpected authentication 'completed' received"},
		{"mechanisms twice", []proto.Message{mechanisms, mechanisms}, "Unexpected authentication 'mechanisms' received"},
		{"no mechanism in common", []proto.Message{&internalpb.AuthenticationMechanismsMessage{Mechanisms: []string{"PLAIN"}}},
			`the master offers ["PLAIN"], this side knows CRAM-MD5 only`},
		{"error", []proto.Message{&internalpb.AuthenticationErrorMessage{Error: proto.String("No authenticator loaded")}},
			"Authentication error: No authenticator loaded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := NewClient("p@1.2.3.4:5", "agentp", "s")
			var outcome Outcome
			var err error
			for _, m := range tt.hear {
				_, outcome, err = c.Receive(m)
			}
			if err == nil || err.Error() != tt.want || outcome != Broken {
				t.Errorf("error is %v (%v), want %q", err, outcome, tt.want)
			}
		})
	}
}

func FuzzServer(f *testing.F) {
	f.Add([]byte("agentp 2545be6b91d6e1bbf0e48cef25b8deb9"), []byte{})
	f.Add([]byte("agentp"), []byte("x"))
	f.Fuzz(func(t *testing.T, answer, initial []byte) {
		s, _ := NewServer(secrets, "<1.2@x>")
		if _, outcome := s.Receive(&internalpb.AuthenticationStartMessage{Mechanism: proto.String(Mechanism), Data: initial}); outcome == Broken {
			return
		}
		_, outcome := s.Receive(&internalpb.AuthenticationStepMessage{Data: answer})
		known := false
		for principal, secret := range secrets {
			known = known || bytes.Equal(answer, []byte(principal+" "+Digest(secret, []byte("<1.2@x>"))))
		}
		if known != (outcome == Authenticated) {
			t.Errorf("%q: %v", answer, outcome)
		}
	})
}
