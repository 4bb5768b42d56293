// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title Sends ether on from within, as exchanges, splitters and wallets of others do.
/// @notice Such a payment leaves neither a transaction to its receiver nor an event.
contract EthSender {
    /// More receivers in one call than any test needs.
    uint256 public constant MAX_PAYMENTS = 100;

    error BadPayments();
    error SendFailed(address to);
    error Undone();

    receive() external payable {}

    /// @notice Sends all that came with the call.
    function send(address payable to) external payable {
        _send(to, msg.value);
    }

    /// @notice Sends to many, from what came with the call.
    function sendMany(address payable[] calldata to, uint256[] calldata amounts) external payable {
        if (to.length != amounts.length || to.length > MAX_PAYMENTS) revert BadPayments();
        for (uint256 i = 0; i < to.length; ++i) {
            _send(to[i], amounts[i]);
        }
    }

    /// @notice Sends `kept`, then sends `undone` in a call of its own that reverts afterwards.
    function sendAndUndo(address payable to, uint256 kept, uint256 undone) external payable {
        _send(to, kept);
        try this.sendThenRevert(to, undone) {} catch {}
    }

    /// @notice Sends and reverts: nothing has moved.
    function sendThenRevert(address payable to, uint256 amount) external payable {
        _send(to, amount);
        revert Undone();
    }

    /// @notice Runs `send` of a copy of this code in our own name: the value moves once.
    function sendDelegated(address implementation, address payable to) external payable {
        (bool ok, ) = implementation.delegatecall(abi.encodeCall(this.send, (to)));
        if (!ok) revert SendFailed(to);
    }

    /// @notice Leaves all that came with the call to a receiver by ending a contract.
    function bequeath(address payable to) external payable {
        new Legacy{value: msg.value}(to);
    }

    function _send(address payable to, uint256 amount) private {
        (bool ok, ) = to.call{value: amount}("");
        if (!ok) revert SendFailed(to);
    }
}

/// @title Ends as it begins, and leaves its ether to a receiver.
contract Legacy {
    constructor(address payable to) payable {
        selfdestruct(to);
    }
}
