package instance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"stoa/marathon/id"
)

// ErrBadID says that a text is no instance or task id. The wrapped text names it.
var ErrBadID = errors.New("no valid identifier")

// appContainer stands for the one container of an app in a task id; the underscore
// keeps it apart from the names that containers of pods may have.
const appContainer = "_app"

// NewID forms the id of a new instance of an app; uuid is a time-based UUID.
func NewID(appID id.Path, uuid string) string { return appID.Safe() + ".instance-" + uuid }

// TaskID forms the id of the n-th task of an instance of an app.
func TaskID(instanceID string, incarnation int64) string {
	return instanceID + "." + appContainer + "." + strconv.FormatInt(incarnation, 10)
}

// ParsedTask is what a task id tells. Ids of all releases are understood; tasks of
// releases before 1.4 belong to an instance called marathon-<uuid>.
type ParsedTask struct {
	AppID      id.Path
	InstanceID string
	// Container is empty for the container of an app.
	Container string
	// Incarnation is 0 for an id that does not carry one.
	Incarnation int64
}

// ParseTaskID takes a task id apart, or returns an error that wraps ErrBadID.
// Original: Task.Id.parse in core/task/Task.scala.
func ParseTaskID(text string) (ParsedTask, error) {
	bad := func() (ParsedTask, error) {
		return ParsedTask{}, fmt.Errorf("taskId %s: %w", text, ErrBadID)
	}
	if inst, rest, ok := cutInstance(text); ok {
		app, _, err := ParseID(inst)
		if err != nil {
			return ParsedTask{}, err
		}
		p := ParsedTask{AppID: app, InstanceID: inst}
		name, number, counted := strings.Cut(rest, ".")
		if name == "" || counted && (number == "" || strings.Contains(number, ".")) {
			return bad()
		}
		if counted {
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil || n < 0 {
				return bad()
			}
			p.Incarnation = n
		}
		if name != appContainer {
			p.Container = name
		}
		return p, nil
	}
	// Before 1.4: <safe app id><. or _><uuid>, with .<attempt> for resident tasks.
	base, attempt := text, int64(0)
	if at := strings.LastIndexByte(text, '.'); at > 0 {
		if n, err := strconv.ParseInt(text[at+1:], 10, 64); err == nil && n >= 0 {
			base, attempt = text[:at], n
		}
	}
	at := strings.LastIndexAny(base, "._")
	if at <= 0 || !validUUID(base[at+1:]) {
		return bad()
	}
	return ParsedTask{
		AppID:       id.FromSafe(base[:at]),
		InstanceID:  base[:at] + ".marathon-" + base[at+1:],
		Incarnation: attempt,
	}, nil
}

// cutInstance splits a task id of 1.4 and later behind the instance's UUID; the
// separator before the container's name is a dot or, in old ids, an underscore.
func cutInstance(text string) (instanceID, rest string, ok bool) {
	for _, prefix := range []string{".instance-", ".marathon-"} {
		at := strings.LastIndex(text, prefix)
		if at <= 0 {
			continue
		}
		tail := text[at+len(prefix):]
		end := strings.IndexAny(tail, "._")
		if end <= 0 {
			continue
		}
		return text[:at+len(prefix)+end], tail[end+1:], true
	}
	return "", "", false
}

// ParseID takes an instance id apart into the app's id and the UUID, or returns an
// error that wraps ErrBadID.
func ParseID(text string) (appID id.Path, uuid string, err error) {
	for _, prefix := range []string{".instance-", ".marathon-"} {
		at := strings.LastIndex(text, prefix)
		if at > 0 && validUUID(text[at+len(prefix):]) {
			return id.FromSafe(text[:at]), text[at+len(prefix):], nil
		}
	}
	return "", "", fmt.Errorf("instance id %s: %w", text, ErrBadID)
}

// validUUID accepts the usual 8-4-4-4-12 form.
func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
			continue
		}
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

// NextTaskID is the id of the task that follows the instance's current one: the
// instance keeps its id, the incarnation grows by one.
// Original: Task.Id.nextIncarnationFor.
func (i *Instance) NextTaskID() string {
	t := i.Task()
	if t == nil {
		return TaskID(i.ID, 1)
	}
	p, err := ParseTaskID(t.ID)
	if err != nil {
		return TaskID(i.ID, 1)
	}
	return TaskID(i.ID, p.Incarnation+1)
}
