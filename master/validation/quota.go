package validation

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/quotapb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/roles"
)

// QuotaConfig checks a quota by itself (src/master/quota.cpp, validate).
func QuotaConfig(q *quotapb.QuotaConfig) error {
	if q.Role == nil {
		return errors.New("'QuotaConfig.role' must be set")
	}
	if err := roles.Validate(q.GetRole()); err != nil {
		return wrap("Invalid 'QuotaConfig.role': ", err)
	}
	if err := countable(q.GetGuarantees()); err != nil {
		return wrap("Invalid 'QuotaConfig.guarantees': ", err)
	}
	if err := countable(q.GetLimits()); err != nil {
		return wrap("Invalid 'QuotaConfig.limits': ", err)
	}
	if err := amounts("guarantee", q.GetGuarantees()); err != nil {
		return err
	}
	if err := amounts("limit", q.GetLimits()); err != nil {
		return err
	}
	limits := resources.LimitsOf(Amounts(q.GetLimits()))
	if !limits.Allows(resources.QuantitiesOf(Amounts(q.GetGuarantees()))) {
		return fmt.Errorf("'QuotaConfig.guarantees' %s is not contained within the 'QuotaConfig.limits' %s",
			amountsText(q.GetGuarantees()), amountsText(q.GetLimits()))
	}
	return nil
}

// Amounts are the values of a map of scalars.
func Amounts(m map[string]*mesospb.Value_Scalar) map[string]resources.Scalar {
	out := make(map[string]resources.Scalar, len(m))
	for name, v := range m {
		out[name] = resources.ScalarOf(v.GetValue())
	}
	return out
}

// The largest amounts of a quota: an exabyte in megabytes for memory and disk, a
// trillion of anything else.
const (
	exabyte  = 1 << 40
	trillion = 1_000_000_000_000
)

func countable(m map[string]*mesospb.Value_Scalar) error {
	for _, name := range sortedKeys(m) {
		limit, text := float64(trillion), fmt.Sprintf("1 trillion (%d)", int64(trillion))
		if name == "mem" || name == "disk" {
			limit, text = exabyte, fmt.Sprintf("1 exabyte (%d)", int64(exabyte))
		}
		if v := m[name].GetValue(); v > limit {
			return fmt.Errorf("{'%s': %s} is invalid: values greater than %s are not supported", name, resources.ScalarOf(v), text)
		}
	}
	return nil
}

func amounts(what string, m map[string]*mesospb.Value_Scalar) error {
	for _, name := range sortedKeys(m) {
		v := m[name].GetValue()
		if err := InputScalar(v); err != nil {
			return fmt.Errorf("Invalid %s configuration {'%s': %s}: %w", what, name, resources.ScalarOf(v), err)
		}
	}
	return nil
}

// InputScalar checks an amount that somebody sent (src/common/validation.cpp,
// validateInputScalarValue).
func InputScalar(v float64) error {
	switch {
	case math.IsInf(v, 0):
		return errors.New("Infinite values not supported")
	case math.IsNaN(v):
		return errors.New("NaN not supported")
	case v != 0 && math.Abs(v) < 0x1p-1022:
		return errors.New("Subnormal values not supported")
	case v < 0:
		return errors.New("Negative values not supported")
	}
	return nil
}

func amountsText(m map[string]*mesospb.Value_Scalar) string {
	var parts []string
	for _, name := range sortedKeys(m) {
		parts = append(parts, name+": "+resources.ScalarOf(m[name].GetValue()).String())
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// QuotaRequest checks a request of the old form, whose resources must have been checked
// and be in the form with stacked reservations (src/master/quota.cpp,
// validation::quotaInfo).
func QuotaRequest(role string, guarantee []*mesospb.Resource) error {
	if err := roles.Validate(role); err != nil {
		return wrap("QuotaInfo with invalid role: ", err)
	}
	if len(guarantee) == 0 {
		return errors.New("QuotaInfo with empty 'guarantee'")
	}
	names := make(map[string]bool, len(guarantee))
	for _, r := range guarantee {
		switch {
		case len(r.GetReservations()) > 0:
			return errors.New("QuotaInfo must not contain any ReservationInfo")
		case r.Disk != nil:
			return errors.New("QuotaInfo must not contain DiskInfo")
		case r.Revocable != nil:
			return errors.New("QuotaInfo must not contain RevocableInfo")
		case r.GetType() != mesospb.Value_SCALAR:
			return errors.New("QuotaInfo must not include non-scalar resources")
		case names[r.GetName()]:
			return fmt.Errorf("QuotaInfo contains duplicate resource name '%s'", r.GetName())
		}
		names[r.GetName()] = true
	}
	return nil
}
