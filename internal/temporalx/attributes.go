package temporalx

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"
)

// Keyword is the name of a search attribute that holds one exact word. Search
// attributes are never encrypted: they hold opaque ids, codes and bands, never a
// name, an address or an amount.
type Keyword string

// The search attributes of all workflows.
const (
	UserID     Keyword = "UserId"     // the customer's opaque id
	Asset      Keyword = "Asset"      // asset code
	Phase      Keyword = "Phase"      // where the movement stands
	AmountBand Keyword = "AmountBand" // order of magnitude, see Band
	Rail       Keyword = "Rail"       // the chain, or the fiat rail
	ChainTx    Keyword = "ChainTx"    // transaction id on chain
)

// Keywords lists all search attributes; each namespace needs them.
func Keywords() []Keyword { return []Keyword{UserID, Asset, Phase, AmountBand, Rail, ChainTx} }

// Set returns the update that gives the attribute a value.
func (k Keyword) Set(value string) temporal.SearchAttributeUpdate {
	return temporal.NewSearchAttributeKeyKeyword(string(k)).ValueSet(value)
}

// Labels are the search attributes with which a workflow begins. Empty ones stay
// away.
type Labels struct{ UserID, Asset, Phase, AmountBand, Rail, ChainTx string }

// Attributes returns the labels as the SDK takes them.
func (l Labels) Attributes() temporal.SearchAttributes {
	var updates []temporal.SearchAttributeUpdate
	for _, one := range []struct {
		name  Keyword
		value string
	}{{UserID, l.UserID}, {Asset, l.Asset}, {Phase, l.Phase}, {AmountBand, l.AmountBand}, {Rail, l.Rail}, {ChainTx, l.ChainTx}} {
		if one.value != "" {
			updates = append(updates, one.name.Set(one.value))
		}
	}
	return temporal.NewSearchAttributes(updates...)
}

// Band returns the order of magnitude of an amount given in base units, as
// auditors search for it: "e00" for 1 to 9, "e08" for 10^8 to 10^9-1. The digits
// are those of the amount without sign or leading zeros; anything else has no band.
func Band(baseUnits string) string {
	if baseUnits == "" || baseUnits[0] == '0' {
		return ""
	}
	for _, c := range baseUnits {
		if c < '0' || c > '9' {
			return ""
		}
	}
	return fmt.Sprintf("e%02d", len(baseUnits)-1)
}

// AttributeService is the part of Temporal's operator service that knows search
// attributes.
type AttributeService interface {
	ListSearchAttributes(ctx context.Context, in *operatorservice.ListSearchAttributesRequest, opts ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error)
	AddSearchAttributes(ctx context.Context, in *operatorservice.AddSearchAttributesRequest, opts ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error)
}

// EnsureKeywords adds the search attributes that the namespace lacks. Without
// them a workflow that sets one hangs in retries of its task, so a worker calls
// this before it takes any.
func EnsureKeywords(ctx context.Context, service AttributeService, namespace string) error {
	have, err := service.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("list search attributes: %w", err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, k := range Keywords() {
		switch kind, ok := have.GetCustomAttributes()[string(k)]; {
		case !ok:
			missing[string(k)] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
		case kind != enumspb.INDEXED_VALUE_TYPE_KEYWORD:
			return fmt.Errorf("search attribute %s is %s in namespace %s: it has to be a Keyword", k, kind, namespace)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = service.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	var exists *serviceerror.AlreadyExists // another worker was faster
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("add search attributes: %w", err)
	}
	return nil
}
