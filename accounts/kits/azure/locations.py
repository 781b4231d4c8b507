"""Azure's public locations. None has to be switched on, but not every subscription is offered each of them."""

from accounts.kits.manifest import Region

REGIONS: tuple[Region, ...] = tuple(
    Region(code, name, False)
    for code, name in (
        ("eastus", "US East (Virginia)"),
        ("eastus2", "US East 2 (Virginia)"),
        ("centralus", "US Central (Iowa)"),
        ("northcentralus", "US North Central (Illinois)"),
        ("southcentralus", "US South Central (Texas)"),
        ("westus", "US West (California)"),
        ("westus2", "US West 2 (Washington)"),
        ("westus3", "US West 3 (Arizona)"),
        ("canadacentral", "Canada Central (Toronto)"),
        ("canadaeast", "Canada East (Quebec)"),
        ("brazilsouth", "Brazil South (São Paulo)"),
        ("mexicocentral", "Mexico Central (Querétaro)"),
        ("westeurope", "West Europe (Netherlands)"),
        ("northeurope", "North Europe (Ireland)"),
        ("germanywestcentral", "Germany West Central (Frankfurt)"),
        ("switzerlandnorth", "Switzerland North (Zurich)"),
        ("francecentral", "France Central (Paris)"),
        ("uksouth", "UK South (London)"),
        ("ukwest", "UK West (Cardiff)"),
        ("swedencentral", "Sweden Central (Gävle)"),
        ("norwayeast", "Norway East (Oslo)"),
        ("polandcentral", "Poland Central (Warsaw)"),
        ("italynorth", "Italy North (Milan)"),
        ("spaincentral", "Spain Central (Madrid)"),
        ("israelcentral", "Israel Central"),
        ("uaenorth", "UAE North (Dubai)"),
        ("qatarcentral", "Qatar Central (Doha)"),
        ("southafricanorth", "South Africa North (Johannesburg)"),
        ("centralindia", "Central India (Pune)"),
        ("southindia", "South India (Chennai)"),
        ("eastasia", "East Asia (Hong Kong)"),
        ("southeastasia", "Southeast Asia (Singapore)"),
        ("japaneast", "Japan East (Tokyo)"),
        ("japanwest", "Japan West (Osaka)"),
        ("koreacentral", "Korea Central (Seoul)"),
        ("australiaeast", "Australia East (New South Wales)"),
        ("australiasoutheast", "Australia Southeast (Victoria)"),
        ("newzealandnorth", "New Zealand North (Auckland)"),
    )
)
