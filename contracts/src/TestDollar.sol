// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title A dollar for development and tests; it is worth nothing.
/// @notice Plain ERC-20 with six decimals. Whoever deploys it owns it and mints.
contract TestDollar is ERC20, Ownable {
    /// More recipients in one call than any test needs.
    uint256 public constant MAX_PAYMENTS = 100;

    error BadPayments(uint256 recipients, uint256 amounts);

    constructor() ERC20("Test USD Coin", "USDC") Ownable(msg.sender) {}

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @notice Makes new units out of nothing.
    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    /// @notice Pays many from the caller's balance: several Transfer events in one transaction.
    function pay(address[] calldata to, uint256[] calldata amounts) external {
        if (to.length != amounts.length || to.length > MAX_PAYMENTS) {
            revert BadPayments(to.length, amounts.length);
        }
        for (uint256 i = 0; i < to.length; ++i) {
            _transfer(_msgSender(), to[i], amounts[i]);
        }
    }
}
