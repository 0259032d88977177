package libprocess

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type recordedMessage struct {
	From, To, Message string
	RawHead           string `json:"raw_head"`
	ChunkSizes        []int  `json:"chunk_sizes"`
	BodyHex           string `json:"body_hex"`
	Response          string
	Recording         string
}

func (m *recordedMessage) body(t *testing.T) []byte {
	b, err := hex.DecodeString(m.BodyHex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func recordedMessages(t *testing.T) []recordedMessage {
	t.Helper()
	data, err := os.ReadFile("testdata/recorded-messages.json")
	if err != nil {
		t.Fatal(err)
	}
	var ms []recordedMessage
	if err := json.Unmarshal(data, &ms); err != nil {
		t.Fatal(err)
	}
	return ms
}

// What the original wrote for a message is what we write for it, byte for byte.
func TestSentBytesAreThoseOfTheOriginal(t *testing.T) {
	for _, m := range recordedMessages(t) {
		from, to, body := mustParse(t, m.From), mustParse(t, m.To), m.body(t)
		want := m.RawHead
		if len(body) > 0 {
			if len(m.ChunkSizes) != 2 || m.ChunkSizes[0] != len(body) {
				t.Fatalf("%s in %s is not one chunk: %v", m.Message, m.Recording, m.ChunkSizes)
			}
			want += chunk(string(body)) + "0\r\n\r\n"
		}
		got := string(appendMessage(nil, from, to.ID, to.Addr, m.Message, body))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s in %s (-original +ours):\n%s", m.Message, m.Recording, diff)
		}
		if from.String() != m.From || to.String() != m.To {
			t.Errorf("UPIDs %s, %s print as %s, %s", m.From, m.To, from, to)
		}
	}
}

var date = regexp.MustCompile(`Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT`)

// Messages that the original sent arrive, all on one connection without waiting, and are
// answered in order with the bytes of the original.
func TestRecordedMessagesAreReceivedAndAnswered(t *testing.T) {
	tr := started(t, nil)
	actors := make(map[string]*recorder)
	var wantAnswers strings.Builder
	var stream strings.Builder
	sent := make(map[string][]recordedMessage)
	for _, m := range recordedMessages(t) {
		to := mustParse(t, m.To)
		answer := m.Response
		if answer == "" {
			answer = "HTTP/1.1 202 Accepted\r\nDate: Fri, 20 Nov 2026 21:54:58 GMT\r\nContent-Length: 0\r\n\r\n"
		}
		if strings.HasPrefix(answer, "HTTP/1.1 404") {
			to.ID = "nobody" + to.ID
			m.RawHead = strings.Replace(m.RawHead, "POST /", "POST /nobody", 1)
		} else {
			if actors[to.ID] == nil {
				actors[to.ID] = newRecorder()
				tr.Spawn(to.ID, actors[to.ID])
			}
			sent[to.ID] = append(sent[to.ID], m)
		}
		stream.WriteString(m.RawHead)
		if body := m.body(t); len(body) > 0 {
			stream.WriteString(chunk(string(body)) + "0\r\n\r\n")
		}
		wantAnswers.WriteString(date.ReplaceAllString(answer, "Date: *"))
	}

	c, r := dialed(t, tr)
	go io.WriteString(c, stream.String())
	for id, want := range sent {
		got := actors[id].received(t, len(want))
		for i, m := range got {
			if m.Name != want[i].Message || m.From.String() != want[i].From || m.To != tr.UPID(id) {
				t.Errorf("message %d to %s is %s from %s to %s, want %s from %s",
					i, id, m.Name, m.From, m.To, want[i].Message, want[i].From)
			}
			if diff := cmp.Diff(want[i].BodyHex, hex.EncodeToString(m.Body)); diff != "" {
				t.Errorf("body of %s (-sent +received):\n%s", m.Name, diff)
			}
		}
	}
	// An ordinary request at the end tells where the answers to the messages end.
	write(t, c, lines("GET /end HTTP/1.1", "Host: x", "Connection: close"))
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	answers, _, found := strings.Cut(date.ReplaceAllString(string(all), "Date: *"), "HTTP/1.1 404 Not Found\r\nConnection: close")
	if !found {
		answers, _, _ = strings.Cut(answers, "HTTP/1.1 404 Not Found\r\nDate: *\r\nContent-Length: 0\r\nConnection: close")
	}
	if diff := cmp.Diff(wantAnswers.String(), answers); diff != "" {
		t.Errorf("answers (-original +ours):\n%s", diff)
	}
}
