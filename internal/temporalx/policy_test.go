package temporalx_test

import (
	"context"
	"errors"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc"

	"strongroom/internal/temporalx"
)

func TestEachPolicyIsBoundedAndNeverGivesUp(t *testing.T) {
	for _, p := range []temporalx.Policy{temporalx.Quick, temporalx.Chain, temporalx.Bank, temporalx.Human, 99} {
		is, o, local := p.Patience(), p.Options(), p.LocalOptions()
		if is.Attempt <= 0 || is.First <= 0 || is.Longest < is.First || is.Growth <= 1 {
			t.Errorf("policy %d: %+v", p, is)
		}
		if o.StartToCloseTimeout != is.Attempt || local.StartToCloseTimeout > is.Attempt || local.ScheduleToCloseTimeout < local.StartToCloseTimeout {
			t.Errorf("policy %d: an attempt is not bounded", p)
		}
		for _, r := range []int32{o.RetryPolicy.MaximumAttempts, local.RetryPolicy.MaximumAttempts} {
			if r != 0 {
				t.Errorf("policy %d gives up after %d attempts", p, r)
			}
		}
	}
}

func TestMarks(t *testing.T) {
	cause := errors.New("cause")
	for name, err := range map[string]error{"wait": temporalx.Wait(cause), "fault": temporalx.Fault(cause)} {
		if temporalx.IsRefused(err) || !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := temporalx.Refused(cause); !temporalx.IsRefused(err) || !errors.Is(err, cause) {
		t.Errorf("refused: %v", err)
	}
	if temporalx.IsRefused(cause) || temporalx.IsRefused(nil) {
		t.Error("an unmarked error counts as refused")
	}
}

func TestBand(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "0": "", "1": "e00", "9": "e00", "10": "e01", "99999999": "e07", "100000000": "e08", "-1": "", "1.5": "", "012": "",
	} {
		if got := temporalx.Band(in); got != want {
			t.Errorf("Band(%q) = %q, want %q", in, got, want)
		}
	}
}

// operator is Temporal's operator service as far as search attributes go.
type operator struct {
	have  map[string]enumspb.IndexedValueType
	added map[string]enumspb.IndexedValueType
	fail  error
}

func (o *operator) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: o.have}, nil
}

func (o *operator) AddSearchAttributes(_ context.Context, in *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error) {
	o.added = in.SearchAttributes
	return &operatorservice.AddSearchAttributesResponse{}, o.fail
}

func TestEnsureKeywordsAddsWhatIsMissing(t *testing.T) {
	service := &operator{have: map[string]enumspb.IndexedValueType{"UserId": enumspb.INDEXED_VALUE_TYPE_KEYWORD}}
	if err := temporalx.EnsureKeywords(t.Context(), service, "default"); err != nil || len(service.added) != len(temporalx.Keywords())-1 {
		t.Errorf("added %v, %v", service.added, err)
	}
	service.fail = serviceerror.NewAlreadyExists("raced")
	if err := temporalx.EnsureKeywords(t.Context(), service, "default"); err != nil {
		t.Errorf("another worker was faster: %v", err)
	}
	service.fail = serviceerror.NewUnavailable("down")
	if err := temporalx.EnsureKeywords(t.Context(), service, "default"); err == nil {
		t.Error("a refused addition passed")
	}
	service.have["Phase"] = enumspb.INDEXED_VALUE_TYPE_TEXT
	if err := temporalx.EnsureKeywords(t.Context(), service, "default"); err == nil {
		t.Error("an attribute of another type passed")
	}
}
